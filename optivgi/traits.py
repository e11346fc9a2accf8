"""What stations do with limits, as it was seen: which of them take no 0, and which give more whenever they get a profile. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from optivgi.station_model import Model


@dataclass(slots=True)
class Traits:
    """What is known of stations and of kinds of stations. What a station itself has shown goes before what its kind does.

    `version` grows when there is something new to keep. `no_zero` are the kinds that reject a limit of 0, and `spikes_kw`
    is what stations give for a moment at every change of a profile.
    """

    no_zero: set[Model] = field(default_factory=set)
    spikes_kw: dict[str, float] = field(default_factory=dict)
    version: int = 0
    _zero: dict[str, bool] = field(default_factory=dict)
    """Whether a station takes a limit of 0 and keeps to it."""

    def takes_zero(self, station_id: str, model: Model) -> bool:
        """Whether it is worth asking the station for 0."""
        return self._zero.get(station_id, model not in self.no_zero)

    def took_zero(self, station_id: str, model: Model) -> None:
        """It accepted a profile with a limit of 0: its kind does not reject that."""
        self._zero[station_id] = True
        if model in self.no_zero:
            self.no_zero.discard(model)
            self.version += 1

    def rejects_zero(self, station_id: str, model: Model) -> None:
        """It takes profiles without 0 only; so will others of its kind."""
        self._zero[station_id] = False
        if model not in self.no_zero:
            self.no_zero.add(model)
            self.version += 1

    def ignores_zero(self, station_id: str) -> None:
        """It accepts 0 and charges on, which says nothing of its kind: it may be broken."""
        self._zero[station_id] = False

    def spiked(self, station_id: str, power_kw: float) -> None:
        """It gave so much while its profile changed."""
        if power_kw > self.spikes_kw.get(station_id, 0.0):
            self.spikes_kw[station_id] = power_kw
            self.version += 1

    def as_json(self) -> dict[str, Any]:
        """What is worth keeping, for `from_json`."""
        return {
            "no_zero": [asdict(model) for model in sorted(self.no_zero, key=str)],
            "spikes_kw": dict(sorted(self.spikes_kw.items())),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Traits:
        """What was kept; raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            {Model(**{name: str(entry[name]) for name in Model.__slots__}) for entry in document.get("no_zero", ())},
            {str(station_id): float(kw) for station_id, kw in document.get("spikes_kw", {}).items()},
        )
