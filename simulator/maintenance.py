"""Firmware updates and diagnostics as a station goes through them; nothing is fetched or sent. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from simulator.charger import Charger
from simulator.outputs import DiagnosticsStatus, FirmwareStatus, RebootWanted

STEP = timedelta(seconds=10)
"""How long each step of an update or an upload takes."""
SCHEMES = ("ftp", "ftps", "sftp", "http", "https")


def update_firmware(charger: Charger, location: str, retrieve_at: datetime, at: datetime) -> None:
    """Downloads from `retrieve_at` on, installs once no transaction is left, boots, and is installed."""
    charger.advance(at)
    charger.later(retrieve_at, lambda now: _download(charger, location, now))


def upload_diagnostics(charger: Charger, location: str, at: datetime) -> str | None:
    """The name of the file that will be uploaded; None when there is nothing to upload or one is on its way already."""
    charger.advance(at)
    if charger.diagnostics_status == "Uploading":
        return None
    _say_diagnostics(charger, "Uploading")
    end = "Uploaded" if _reachable(location) else "UploadFailed"
    charger.later(charger.now + STEP, lambda _: _say_diagnostics(charger, end))
    return f"{charger.spec.station_id}-{charger.now:%Y%m%dT%H%M%SZ}.log"


def load(charger: Charger) -> None:
    """At a boot: what was being installed runs from now on."""
    if charger.firmware_status == "Installing" and charger.next_firmware is not None:
        charger.firmware_version = charger.next_firmware


def installed(charger: Charger) -> None:
    """After a boot that the CSMS accepted: the update that asked for it is done."""
    if charger.firmware_status == "Installing":
        _say_firmware(charger, "Installed")


def _download(charger: Charger, location: str, at: datetime) -> None:
    _say_firmware(charger, "Downloading")
    if _reachable(location):
        charger.next_firmware = urlsplit(location).path.rpartition("/")[2][:50] or None
        charger.later(at + STEP, lambda now: _downloaded(charger, now))
    else:
        charger.later(at + STEP, lambda _: _say_firmware(charger, "DownloadFailed"))


def _downloaded(charger: Charger, at: datetime) -> None:
    _say_firmware(charger, "Downloaded")
    _install(charger, at)


def _install(charger: Charger, at: datetime) -> None:
    if any(connector.transaction is not None for connector in charger.connectors.values()):
        charger.later(at + STEP, lambda now: _install(charger, now))
        return
    _say_firmware(charger, "Installing")
    charger.later(at + STEP, lambda _: charger.say(RebootWanted(hard=False)))


def _reachable(location: str) -> bool:
    try:
        parts = urlsplit(location)
    except ValueError:
        return False
    return parts.scheme in SCHEMES and bool(parts.hostname)


def _say_firmware(charger: Charger, status: str) -> None:
    charger.firmware_status = status
    charger.say(FirmwareStatus(status))


def _say_diagnostics(charger: Charger, status: str) -> None:
    charger.diagnostics_status = status
    charger.say(DiagnosticsStatus(status))
