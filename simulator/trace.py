"""The truth that the meters sample, as a file: what each connector draws, ten times a second.

The file is CSV in UTF-8 with this header:

    t,station_id,connector_id,kw

`t`             the instant in epoch seconds (UTC) with one decimal: always a whole tenth of a second
`station_id`    as OCPP has it
`connector_id`  from 1
`kw`            what flows at that instant, all phases together, with four decimals

A row holds until the connector's next row: an instant at which the power is what it was a tenth before is left out, and a
connector without a row yet draws nothing. While it ramps, every tenth has its row. A connector's rows come in the order of
time; those of different connectors do not. When the simulator ends, each connector gets a row for the last instant that it
lived through, changed or not, so that the last `t` of a connector is how far it was watched. A simulator that starts again with
the same file goes on at its end; a last line that has no newline was cut off with the process and means nothing.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

HEADER = "t,station_id,connector_id,kw"
FLUSH_EVERY_S = 1.0
"""Site seconds between what is written and what a killed process loses."""


class TraceFile:
    """Writes the truth to a file; give `take` to the fleet. Raises OSError when the file cannot be written."""

    def __init__(self, path: Path) -> None:
        fresh = not path.exists() or path.stat().st_size == 0
        whole = fresh or path.read_bytes()[-1:] == b"\n"
        self._file = path.open("a", encoding="utf-8", newline="\n", buffering=1 << 20)
        self._last: dict[tuple[str, int], tuple[datetime, str]] = {}
        self._written: dict[tuple[str, int], datetime] = {}
        self._flush_at: datetime | None = None
        if fresh:
            self._file.write(f"{HEADER}\n")
        elif not whole:
            self._file.write("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def take(self, at: datetime, station_id: str, connector_id: int, power_kw: float) -> None:
        """Takes what flows at `at`; the `Trace` of the chargers."""
        key, kw = (station_id, connector_id), f"{power_kw:.4f}"
        last = self._last.get(key)
        self._last[key] = (at, kw)
        if last is None or last[1] != kw:
            self._write(key, at, kw)
        if self._flush_at is None or at >= self._flush_at:
            self._file.flush()
            self._flush_at = datetime.fromtimestamp(at.timestamp() + FLUSH_EVERY_S, at.tzinfo)

    def close(self) -> None:
        """Says how far each connector was watched, and closes the file."""
        if self._file.closed:
            return
        for key, (at, kw) in self._last.items():
            if self._written[key] != at:
                self._write(key, at, kw)
        self._file.close()

    def _write(self, key: tuple[str, int], at: datetime, kw: str) -> None:
        self._written[key] = at
        self._file.write(f"{at.timestamp():.1f},{key[0]},{key[1]},{kw}\n")
