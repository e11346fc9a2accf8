"""The kind of a station: what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """The kind of a station. Stations that say nothing of themselves are each a kind of their own."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    station_id: str = ""

    @classmethod
    def of(cls, station_id: str, vendor: str, model: str, firmware: str) -> Model:
        return cls(vendor, model, firmware, "" if vendor or model else station_id)

    def __str__(self) -> str:
        if self.station_id:
            return self.station_id
        return " ".join(part for part in (self.vendor, self.model, self.firmware) if part)
