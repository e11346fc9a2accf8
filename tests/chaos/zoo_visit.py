"""A visit to one kind of faulty station: the whole site in one process, in leaping time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.chaos.menagerie import Seen, play
from bench.chaos.zoo import EXPECTED, file_of, shortcomings


def visit(name: str, folder: Path, changes: Mapping[str, object] | None = None) -> Seen:
    """Plays the scenario in `folder`, with the expectation's settings or with `changes`."""
    return play(file_of(name), folder, EXPECTED[name].settings if changes is None else changes)


def has_the_stated_outcome(name: str, folder: Path) -> None:
    seen = visit(name, folder)
    assert not shortcomings(name, seen), seen.told()
