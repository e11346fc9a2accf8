"""Traces of what really flowed, written by the simulator's own writer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from optivgi.report.truth import Truth, read_trace
from simulator.trace import TraceFile
from tests.report.histories import Session, at, power_kw


def write_trace(
    path: Path, sessions: Iterable[Session], end_s: int = 900, begin_s: int = -10, *, resume: bool = False
) -> None:
    """What `sessions` drew, ten times a second; each connector is watched from `begin_s` to `end_s`."""
    with TraceFile(path, resume=resume) as file:
        for session in sessions:
            drawn = session.drawn if session.drawn is not None else session.allowed
            for tenth in range(begin_s * 10, end_s * 10 + 1):
                second = tenth / 10
                here = session.start_s <= second and (session.end_s is None or second < session.end_s)
                file.take(at(second), session.station_id, 1, power_kw(drawn, second) if here else 0.0)


def truth_of(sessions: Iterable[Session], end_s: int = 900, begin_s: int = -10) -> Truth:
    """The same, read."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.csv"
        write_trace(path, sessions, end_s, begin_s)
        return read_trace(path)
