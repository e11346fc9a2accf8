"""A station's OCPP 1.6 configuration keys: what may be read, what may be changed, and to which values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from optivgi.model.charging_profile import RateUnit
from simulator.meter import DEFAULT_MEASURANDS, MEASURANDS
from simulator.profiles import Capabilities

Changed = Literal["Accepted", "Rejected", "NotSupported", "RebootRequired"]
MAX_KEYS_PER_ANSWER = 100
MAX_LIST_ENTRIES = 1000
MAX_LIST_ENTRIES_PER_MESSAGE = 100


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key. `accepts` None means read only; `reboot`: a change takes effect at the next boot."""

    name: str
    value: str
    accepts: Callable[[str], bool] | None = None
    reboot: bool = False


class Configuration:
    """The keys of one station. Names are compared without regard to case."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.name.casefold(): key for key in keys}
        self._values = {name: key.value for name, key in self._keys.items()}
        self._at_boot: dict[str, str] = {}

    def text(self, name: str) -> str:
        """The value in force."""
        return self._values[name.casefold()]

    def number(self, name: str) -> int:
        """The value in force of a key that holds a whole number."""
        return int(self.text(name))

    def flag(self, name: str) -> bool:
        """The value in force of a key that holds true or false."""
        return self.text(name).casefold() == "true"

    def items(self, name: str) -> tuple[str, ...]:
        """The value in force of a key that holds a list."""
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def read(self, names: Sequence[str]) -> tuple[list[tuple[Key, str]], list[str]]:
        """The keys asked for (all, if none is named) with their values, and the names that are not known."""
        wanted = [name.casefold() for name in names] or list(self._keys)
        known = [(self._keys[name], self._values[name]) for name in dict.fromkeys(wanted) if name in self._keys]
        return known, [name for name in names if name.casefold() not in self._keys]

    def change(self, name: str, value: str) -> Changed:
        """Sets a key as ChangeConfiguration asks."""
        key = self._keys.get(name.casefold())
        if key is None:
            return "NotSupported"
        if key.accepts is None or not key.accepts(value.strip()):
            return "Rejected"
        if key.reboot:
            self._at_boot[name.casefold()] = value.strip()
            return "RebootRequired"
        self._values[name.casefold()] = value.strip()
        return "Accepted"

    def set(self, name: str, value: object) -> None:
        """Sets a key from inside the station, read only or not."""
        self._values[name.casefold()] = str(value)

    def reboot(self) -> None:
        """Puts the changes that waited for a boot into force."""
        self._values.update(self._at_boot)
        self._at_boot.clear()


def standard_keys(connectors: int, capabilities: Capabilities, aligned_interval_s: int) -> list[Key]:
    """The keys of a station with the Core, local list, reservation, remote trigger, firmware and smart charging profiles."""
    names = {RateUnit.A: "Current", RateUnit.W: "Power"}
    measurands = ",".join(DEFAULT_MEASURANDS)
    return [
        Key("AllowOfflineTxForUnknownId", "false", _flag),
        Key("AuthorizationCacheEnabled", "true", _flag),
        Key("AuthorizeRemoteTxRequests", "false", _flag),
        Key("ClockAlignedDataInterval", str(aligned_interval_s), _seconds),
        Key("ConnectionTimeOut", "60", _seconds),
        Key("ConnectorPhaseRotation", "NotApplicable", bool),
        Key("GetConfigurationMaxKeys", str(MAX_KEYS_PER_ANSWER)),
        Key("HeartbeatInterval", "300", _seconds),
        Key("LocalAuthorizeOffline", "true", _flag),
        Key("LocalPreAuthorize", "false", _flag),
        Key("MeterValuesAlignedData", measurands, _measurands),
        Key("MeterValuesSampledData", measurands, _measurands),
        Key("MeterValueSampleInterval", "0", _seconds),
        Key("NumberOfConnectors", str(connectors)),
        Key("ResetRetries", "0", _seconds),
        Key("StopTransactionOnEVSideDisconnect", "true", _flag),
        Key("StopTransactionOnInvalidId", "true", _flag),
        Key("StopTxnAlignedData", "", _measurands),
        Key("StopTxnSampledData", "", _measurands),
        Key("SupportedFeatureProfiles", "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"),
        Key("TransactionMessageAttempts", "3", _count),
        Key("TransactionMessageRetryInterval", "10", _seconds),
        Key("UnlockConnectorOnEVSideDisconnect", "true", _flag),
        Key("WebSocketPingInterval", "30", _seconds, reboot=True),
        Key("LocalAuthListEnabled", "true", _flag),
        Key("LocalAuthListMaxLength", str(MAX_LIST_ENTRIES)),
        Key("SendLocalListMaxLength", str(MAX_LIST_ENTRIES_PER_MESSAGE)),
        Key("ReserveConnectorZeroSupported", "false"),
        Key("ChargeProfileMaxStackLevel", str(capabilities.max_stack_level)),
        Key("ChargingScheduleAllowedChargingRateUnit", ",".join(names[unit] for unit in capabilities.units)),
        Key("ChargingScheduleMaxPeriods", str(capabilities.max_periods)),
        Key("ConnectorSwitch3to1PhaseSupported", "true"),
        Key("MaxChargingProfilesInstalled", str(capabilities.max_installed)),
    ]  # fmt: skip


def _flag(value: str) -> bool:
    return value.casefold() in ("true", "false")


def _seconds(value: str) -> bool:
    return value.isascii() and value.isdigit() and int(value) <= 10**9


def _count(value: str) -> bool:
    return _seconds(value) and int(value) >= 1


def _measurands(value: str) -> bool:
    names = [part.strip() for part in value.split(",") if part.strip()]
    return all(name in MEASURANDS for name in names) and len(set(names)) == len(names)
