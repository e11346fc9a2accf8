"""Every exception that the simulator raises on purpose.

SimulatorError
├── SettingsError      a setting is wrong: `problems` lists all of them, each with name, value, bound and remedy
├── ScenarioError      a scenario file is wrong: `problems` lists all of them, each with file, place, value and remedy
├── StateError         the file of the stations' state cannot be read or written
├── TraceError         the file for the truth cannot be written
└── PayloadError       an OCPP payload means nothing: says which field and why

A command that a station turns down is an answer (Rejected), not an exception.
"""

from __future__ import annotations


class SimulatorError(Exception):
    """Base of all deliberate errors."""


class SettingsError(SimulatorError):
    """Configuration is wrong. `problems` lists all of them."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class ScenarioError(SimulatorError):
    """A scenario cannot be run. `problems` lists all of them."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class StateError(SimulatorError):
    """The file of the stations' state cannot be used: its path, why, and the remedy."""


class TraceError(SimulatorError):
    """The file of the trace cannot be written: its path, why, and the remedy."""


class PayloadError(SimulatorError):
    """A payload passes its schema but cannot be meant: the field, its value and the rule."""
