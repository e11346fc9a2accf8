"""What a site's stations keep when their power fails, as a file: a simulator that starts again goes on where it was.

Meters, default and maximum profiles, availability, transactions in progress, what is still owed to the CSMS, and the EVs that are
plugged in with their charge. TxProfiles are lost with the power. While no simulator runs, nothing flows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from optivgi.model.charging_profile import ChargingProfile, Purpose
from simulator.charger import Charger
from simulator.connector import ActiveTransaction
from simulator.errors import StateError
from simulator.outbox import Outbox
from simulator.outputs import TransactionOutput
from simulator.profiles import Installed


@dataclass(frozen=True, slots=True)
class ConnectorKept:
    """One connector; `soc` None: no EV is plugged in."""

    energy_wh: float
    operative: bool
    soc: float | None
    transaction: ActiveTransaction | None


@dataclass(frozen=True, slots=True)
class StationKept:
    """One station. `owed` and `ids` are its outbox: messages, and the CSMS's ids of transactions."""

    operative: bool
    transactions: int
    connectors: dict[int, ConnectorKept]
    profiles: tuple[tuple[int, int, ChargingProfile], ...]
    owed: tuple[TransactionOutput, ...]
    ids: dict[int, str | None]


@dataclass(frozen=True, slots=True)
class SiteKept:
    """All stations at `at`, and the scenario that has been going on since `begin`; None: none was."""

    at: datetime
    scenario: str
    begin: datetime | None
    stations: dict[str, StationKept] = field(default_factory=dict)


_SITE = TypeAdapter(SiteKept)


def kept(charger: Charger, outbox: Outbox) -> StationKept:
    """What this station keeps."""
    return StationKept(
        operative=charger.operative,
        transactions=charger.transactions,
        connectors={
            number: ConnectorKept(
                connector.energy_wh,
                connector.operative,
                None if connector.vehicle is None else connector.vehicle.soc,
                connector.transaction,
            )
            for number, connector in charger.connectors.items()
        },
        profiles=tuple(
            (number, one.set_at, one.profile)
            for number, one in charger.profiles.everything()
            if one.profile.purpose is not Purpose.TX
        ),
        owed=outbox.owed,
        ids=outbox.ids,
    )


def restore(station: StationKept, charger: Charger, outbox: Outbox) -> None:
    """Gives a new station what it kept; its EVs are plugged in by whoever knows them."""
    charger.operative = station.operative
    charger.transactions = station.transactions
    for number, connector in charger.connectors.items():
        if (one := station.connectors.get(number)) is not None:
            connector.energy_wh, connector.operative, connector.transaction = (
                one.energy_wh,
                one.operative,
                one.transaction,
            )
    charger.profiles.put_back((number, Installed(profile, set_at)) for number, set_at, profile in station.profiles)
    outbox.put_back(station.owed, station.ids)


def load_state(path: Path, scenario: str) -> SiteKept | None:
    """What was kept; None when there is no such file. Raises StateError when it cannot be read or is of another scenario."""
    try:
        site = _SITE.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = getattr(error, "strerror", None) or "it is no state of a simulator"
        raise StateError(
            f"{path}: cannot be read ({reason}); delete it to begin anew, or change SIMULATOR_STATE"
        ) from None
    if site.begin is not None and site.scenario != scenario:
        raise StateError(
            f"{path}: was left in the middle of {site.scenario!r}; go on with that, delete it, or change SIMULATOR_STATE"
        )
    return site


def save_state(path: Path, site: SiteKept) -> None:
    """Writes the file whole or not at all. Raises StateError when it cannot be written."""
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_bytes(_SITE.dump_json(site))
        os.replace(new, path)
    except OSError as error:
        raise StateError(f"{path}: cannot be written ({error.strerror}); change SIMULATOR_STATE") from None
