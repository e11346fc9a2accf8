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
lived through, changed or not, so that the last `t` of a connector is how far it was watched. A last line without a newline was
cut off with the process and means nothing. A file of an earlier run is replaced, unless this run resumes that one.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.errors import TraceError

HEADER = "t,station_id,connector_id,kw"
BUFFER_BYTES = 1 << 16
FLUSH_EVERY_S = 1.0
"""Site seconds between what is written and what a killed process loses."""


class TraceFile:
    """Writes the truth to a file; give `take` to the fleet. Raises TraceError when the file cannot be opened."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        try:
            kept = _whole_lines(path) if resume else 0
            if kept:
                os.truncate(path, kept)
            self._file = path.open("a" if kept else "w", encoding="utf-8", newline="\n", buffering=BUFFER_BYTES)
        except OSError as error:
            raise TraceError(
                f"{path}: the trace cannot be written ({error.strerror}); name a file in a folder"
            ) from None
        self._last: dict[tuple[str, int], tuple[datetime, str]] = {}
        self._written: dict[tuple[str, int], datetime] = {}
        self._flush_at: datetime | None = None
        if not kept:
            self._file.write(f"{HEADER}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def take(self, at: datetime, station_id: str, connector_id: int, power_kw: float) -> None:
        """Takes what flows at `at`; the `Trace` of the chargers."""
        key, kw = (station_id, connector_id), f"{power_kw if power_kw > 0 else 0.0:.4f}"
        last = self._last.get(key)
        self._last[key] = (at, kw)
        if last is None or last[1] != kw:
            self._write(key, at, kw)
        if self._flush_at is None or at >= self._flush_at:
            self._file.flush()
            self._flush_at = at + timedelta(seconds=FLUSH_EVERY_S)

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


def _whole_lines(path: Path) -> int:
    """How many bytes of the file are whole lines; 0 when there is no such file."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            begin = max(0, end - BUFFER_BYTES)
            file.seek(begin)
            return begin + file.read().rfind(b"\n") + 1
    except FileNotFoundError:
        return 0
