"""Planning algorithms: Problem in, Plan out, pure. `algorithm(name)` gives one, `names()` lists them."""

from optivgi.algorithms import equal_share, fair, go, lp
from optivgi.algorithms.base import Algorithm, algorithm, names
from optivgi.algorithms.ladder import Ladder, Rung

__all__ = ["Algorithm", "Ladder", "Rung", "algorithm", "equal_share", "fair", "go", "lp", "names"]
