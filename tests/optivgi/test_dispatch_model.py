"""Whatever is lost, late or refused, in whatever order: what chargers may draw stays within the limit."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.optivgi.modelled_site import LOOK_S, Dispatching, Losing, stations


class LossyLinks(Losing):
    """Besides, the limit moves. The safe share is 0: the limit is small."""

    @rule(limit_kw=st.sampled_from([0.0, 2.0, 4.5, 8.0]))
    def limit_changes(self, limit_kw: float) -> None:
        self.bound_kw = max(self.bound_kw, limit_kw)
        self.limit_kw = limit_kw


class StubbornChargers(Dispatching):
    """Answers come within seconds, but some chargers refuse TxProfiles, and the safe share is above 0."""

    limit_kw = 12.0

    @rule(station_id=stations)
    def charger_turns_stubborn(self, station_id: str) -> None:
        self.chargers[station_id].rejects = not self.chargers[station_id].rejects

    @precondition(lambda self: any(self.links.values()))
    @rule(seconds=st.sampled_from([1.0, 3.0]))
    def answers_in_time(self, seconds: float) -> None:
        self.all_goes_well()
        self.at += seconds

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5]))
    def time_passes(self, seconds: float) -> None:
        self.all_goes_well()
        self.at += seconds
        self.send()
        if self.at - self.looked_at >= LOOK_S:
            self.look()


BUDGET = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestLossyLinks = LossyLinks.TestCase
TestLossyLinks.settings = BUDGET
TestStubbornChargers = StubbornChargers.TestCase
TestStubbornChargers.settings = BUDGET
