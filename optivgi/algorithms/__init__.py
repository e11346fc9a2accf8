"""Planning algorithms: Problem in, Plan out, pure. `algorithm(name)` gives one, `names()` lists them."""

from optivgi.algorithms.base import Algorithm, algorithm, names
from optivgi.algorithms.ladder import Decision, Ladder, Rung

__all__ = ["Algorithm", "Decision", "Ladder", "Rung", "algorithm", "names"]
