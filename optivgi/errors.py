"""Every exception that optivgi raises on purpose.

OptiVGIError
├── SettingsError         a setting, scenario, site or plan file is wrong: says the value, its bound and the remedy
├── TranslationError      the CSMS could not be read or commanded
│   ├── Unreachable       no answer: worth trying again
│   ├── Refused           it answered no (authentication, unknown route, a failing query): trying again will not help
│   └── ContractBroken    it answered something that its contract rules out
└── PlanningError         a planning problem that no rung of the ladder could solve

A station that answers Rejected is an Outcome, not an exception.
"""


class OptiVGIError(Exception):
    """Base of all deliberate errors; its text is fit for a site manager to read."""


class SettingsError(OptiVGIError):
    """Configuration is wrong. `problems` lists all of them, each with value, bound and remedy."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class TranslationError(OptiVGIError):
    """The CSMS could not be read or commanded."""


class Unreachable(TranslationError):
    """No answer within the deadline, or no connection: worth trying again."""


class Refused(TranslationError):
    """The other side answered no; the same request will be refused again."""


class ContractBroken(TranslationError):
    """The answer does not have the shape that the contract promises."""


class PlanningError(OptiVGIError):
    """No algorithm of the ladder produced a plan without violations."""
