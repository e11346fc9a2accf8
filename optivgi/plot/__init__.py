"""Pictures. Nothing outside this package imports matplotlib."""

from optivgi.plot.evidence import pictures
from optivgi.plot.run import figure, save

__all__ = ["figure", "pictures", "save"]
