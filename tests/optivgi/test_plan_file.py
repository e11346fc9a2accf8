"""One-shot planning: a JSON file in, a plan, a table, a picture or a comparison out; what is wrong is named with its line."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optivgi.algorithms import algorithm, names
from optivgi.cli import main
from optivgi.errors import SettingsError
from optivgi.model.plan import Plan
from optivgi.plan_command import PlanOptions, run
from optivgi.plan_comparison import chosen, compare, fractions, plan_cost
from optivgi.plan_file import PlanRequest, plan_json, read_request

NOW = "2026-03-03T08:00:00Z"
NOON = "2026-03-03T12:00:00Z"
EXAMPLE = Path(__file__).parents[2] / "scenarios/plans/office.json"


def an_entry(ev_id: str = "1", **fields: Any) -> dict[str, Any]:
    return {"ev_id": ev_id, "energy_kwh": 20, "max_kw": 7.2, "departure": NOON, **fields}


def a_file(*evs: Any, **fields: Any) -> str:
    return json.dumps({"now": NOW, "evs": list(evs), **fields})


def planned(text: str, name: str = "fair") -> dict[str, Any]:
    request = read_request(text, "plan.json")
    framing = request.framing()
    return plan_json(request, framing, algorithm(name)(framing.problem), 1.0)


def problems_of(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_request(text, "plan.json")
    return list(caught.value.problems)


def command(folder: Path, text: str, **options: Any) -> tuple[int, str]:
    path = folder / "plan.json"
    path.write_text(text)
    out = io.StringIO()
    return run(PlanOptions(path, **options), out), out.getvalue()


def test_the_output_has_the_documented_form() -> None:
    answer = planned(a_file(an_entry("b"), an_entry("a"), limit_kw=10))
    assert list(answer) == [
        "algorithm", "segments", "evs", "refused", "site_kw", "violations", "notes", "solve_ms",
    ]  # fmt: skip
    assert [ev["ev_id"] for ev in answer["evs"]] == ["b", "a"]
    assert answer["segments"][0]["start"] == "2026-03-03T08:00:00+00:00"
    assert answer["segments"][-1]["end"] == "2026-03-03T12:00:00+00:00"
    for ev in answer["evs"]:
        assert len(ev["power_kw"]) == len(answer["segments"]) == len(answer["site_kw"])
        assert ev["power_kw"][0] == 5.0
        assert ev["reason"] == "5.0 kW: shares 10.0 kW site limit with 1 other"
        assert (ev["energy_kwh"], ev["shortfall_kwh"]) == (20.0, 0.0)
    assert (answer["violations"], answer["refused"]) == ([], [])


def test_segments_join_and_powers_amount_to_the_energy() -> None:
    answer = planned(a_file(an_entry("1"), an_entry("2", departure="2026-03-03T10:00:00Z"), limit_kw=6))
    segments = answer["segments"]
    assert all(one["end"] == other["start"] for one, other in pairwise(segments))
    hours = [
        (datetime.fromisoformat(one["end"]) - datetime.fromisoformat(one["start"])).total_seconds() / 3600
        for one in segments
    ]
    for ev in answer["evs"]:
        energy = sum(kw * h for kw, h in zip(ev["power_kw"], hours, strict=True))
        assert energy == pytest.approx(ev["energy_kwh"], abs=2e-3)
        assert ev["energy_kwh"] + ev["shortfall_kwh"] == pytest.approx(20.0)


def test_times_are_answered_in_the_offset_of_now() -> None:
    text = a_file(an_entry(), limit_kw=10).replace(NOW, "2026-03-03T09:00:00+01:00")
    assert planned(text)["segments"][0]["start"] == "2026-03-03T09:00:00+01:00"


def test_the_limit_is_the_strictest_of_the_constant_and_the_step_in_force() -> None:
    steps = [{"start": "2026-03-03T09:00:00Z", "limit_kw": 4}, {"start": "2026-03-03T10:00:00Z", "limit_kw": 50}]
    answer = planned(a_file(*(an_entry(str(n)) for n in range(3)), limit_kw=10, limits=steps))
    by_start = {one["start"][11:16]: kw for one, kw in zip(answer["segments"], answer["site_kw"], strict=True)}
    assert by_start["08:00"] == 10.0
    assert by_start["09:00"] == 4.0
    assert by_start["10:00"] == 10.0


def test_without_a_limit_every_ev_has_its_maximum() -> None:
    answer = planned(a_file(an_entry("1"), an_entry("2"), limit_kw=None))
    assert answer["site_kw"][0] == 14.4


def test_circuits_in_amperes_hold_on_their_phase() -> None:
    circuits = [{"id": "main", "limit_kw": 30}, {"id": "panel", "parent": "main", "limit_a": 20, "label": "panel fuse"}]
    evs = [
        an_entry("1", phases=["L1"], circuit="panel", voltage_v=240),
        an_entry("2", phases=["L1"], circuit="panel", voltage_v=240),
        an_entry("3", phases="L2", circuit="panel", voltage_v=240),
        an_entry("4"),
    ]
    powers = {ev["ev_id"]: ev for ev in planned(a_file(*evs, circuits=circuits))["evs"]}
    assert powers["1"]["power_kw"][0] + powers["2"]["power_kw"][0] == pytest.approx(4.8)
    assert powers["3"]["power_kw"][0] == pytest.approx(4.8)
    assert powers["4"]["power_kw"][0] == 7.2
    assert powers["1"]["reason"] == "2.4 kW: shares 20.0 A panel fuse on L1 with 1 other"


def test_an_ev_of_unknown_phases_counts_on_each() -> None:
    circuits = [{"id": "main", "limit_a": 20}]
    first, second = planned(a_file(an_entry("1"), an_entry("2", phases=["L3"]), circuits=circuits))["evs"]
    assert first["power_kw"][0] + second["power_kw"][0] == pytest.approx(4.8)


def test_prices_move_energy_to_cheap_hours() -> None:
    prices = [{"start": "2026-03-03T10:00:00Z", "per_kwh": 0.1}, {"start": NOW, "per_kwh": 0.5}]
    answer = planned(a_file(an_entry(energy_kwh=10), limit_kw=10, prices=prices), "cost")
    assert answer["site_kw"][0] == 0.0
    assert answer["evs"][0]["energy_kwh"] == pytest.approx(10.0)
    assert answer["evs"][0]["reason"].startswith("0.0 kW: energy is cheaper later")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (3, "evs[1] is 3; it must be an object"),
        ({"ev_id": "x"}, "line 1: evs[1].energy_kwh is missing; it must be a number of kWh"),
        (an_entry("1"), "line 1: evs[1].ev_id is '1' for a second time: give each EV its own"),
        (an_entry("x", max_kw=-1), "line 1: evs[1].max_kw is -1; it must be a number of kW above 0"),
        (an_entry("x", min_kw=8), "minimum power 8 kW is above maximum power 7.2 kW"),
        (an_entry("x", departure="2026-03-03T12:00:00"), 'evs[1].departure is "2026-03-03T12:00:00": it has no offset'),
        (an_entry("x", departure="soon"), 'evs[1].departure is "soon"; it must be a date and time with offset'),
        (an_entry("x", arrival=NOON, departure=NOW), "departure 2026-03-03T08:00:00+00:00 is before arrival"),
        (an_entry("x", phases=["L1", "L1"]), 'evs[1].phases is ["L1", "L1"]; it must be a list'),
        (an_entry("x", phases=["L4"]), 'evs[1].phases is ["L4"]; it must be a list'),
        (an_entry("x", circuit="no"), "line 1: evs[1].circuit is 'no', which is no circuit; known are site"),
        (an_entry("x", energy=3), "line 1: evs[1].energy is not a field; did you mean energy_kwh?"),
        (an_entry("x", energy_kwh=True), "evs[1].energy_kwh is true; it must be a number of kWh"),
    ],
)
def test_a_bad_ev_is_refused_by_name_and_the_others_are_planned(entry: Any, reason: str) -> None:
    answer = planned(a_file(an_entry("1"), entry, limit_kw=10))
    assert [ev["ev_id"] for ev in answer["evs"]] == ["1"]
    assert answer["site_kw"][0] == 7.2
    (refused,) = answer["refused"]
    assert reason in refused["reason"]
    assert refused["ev_id"] == (entry["ev_id"] if isinstance(entry, dict) else "evs[1]")


def test_everything_wrong_in_a_file_is_named_at_once_with_line_and_field() -> None:
    text = """{
  "now": "2026-03-03T08:00:00",
  "limit_kw": -1,
  "limits": [{"start": "2026-03-03T09:00:00Z"}],
  "circuits": [
    {"id": "main", "limits": [{"start": "x",
                               "limit_kw": 3}]},
    {"id": "panel", "parent": "mian", "amps": 3}
  ],
  "price": [],
  "prices": [3]
}"""
    assert [problem.partition("; it must be")[0] for problem in problems_of(text)] == [
        "plan.json line 10: price is not a field; did you mean prices?",
        'plan.json line 2: now is "2026-03-03T08:00:00": it has no offset, so nobody knows when that is',
        "plan.json line 3: limit_kw is -1",
        "plan.json line 1: evs is missing",
        'plan.json line 6: circuits[0].limits[0].start is "x"',
        "plan.json line 8: circuits[1].amps is not a field; known are id, parent, label, limit_kw, limit_a, limits",
        "plan.json line 4: limits[0].limit_kw is missing",
        "plan.json prices[0] is 3",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "plan.json line 1: is not JSON"),
        ('{"now": 1,\n}', "plan.json line 2: is not JSON: "),
        ('{"now": NaN}', "plan.json line 1: NaN is not a number"),
        ('{"a": 1,\n "b": {"c": 1, "c": 2}}', "plan.json line 2: c is there more than once in one object"),
        ("[]", "plan.json is []; it must be an object"),
        (a_file(circuits=[{"id": "a", "parent": "b"}]), "plan.json circuits: 0 circuits have no parent"),
        (a_file(circuits=[{"id": "a"}, {"id": "a"}]), "plan.json circuits: circuit 'a' is there 2 times"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text: str, problem: str) -> None:
    assert problems_of(text)[0].startswith(problem)


def test_a_site_without_evs_has_an_empty_plan() -> None:
    answer = planned(a_file(limit_kw=10))
    assert (answer["evs"], answer["violations"]) == ([], [])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            dict,
            energy_kwh=st.floats(0, 60),
            max_kw=st.floats(1.5, 22),
            min_kw=st.sampled_from([0.0, 1.4]),
            departure=st.sampled_from([NOON, "2026-03-03T10:15:00Z", None]),
            priority=st.sampled_from([1, 2]),
        ),
        max_size=6,
    ),
    st.floats(0, 40),
    st.sampled_from(names()),
)
def test_a_plan_never_breaks_a_limit_and_is_json(evs: list[dict[str, Any]], limit_kw: float, name: str) -> None:
    answer = planned(a_file(*(an_entry(str(n), **ev) for n, ev in enumerate(evs)), limit_kw=limit_kw), name)
    assert answer["violations"] == []
    assert all(kw <= limit_kw + 1e-5 for kw in answer["site_kw"])
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_the_command_prints_json(tmp_path: Path) -> None:
    code, out = command(tmp_path, a_file(an_entry(), limit_kw=10), as_json=True)
    assert (code, json.loads(out)["algorithm"]) == (0, "fair")


def test_the_command_prints_tables_and_names_refusals(tmp_path: Path) -> None:
    code, out = command(tmp_path, a_file(an_entry("van"), an_entry("bad", max_kw=0), limit_kw=5), algorithm="go")
    assert code == 0
    assert "shares" not in out
    assert "all of 5.0 kW site limit" in " ".join(out.split())
    assert "EV bad is not planned for: line 1: evs[1].max_kw is 0; it must be" in " ".join(out.split())
    assert "go: 1 EVs planned in" in out


def test_what_a_file_says_cannot_reach_the_terminal(tmp_path: Path) -> None:
    _, out = command(tmp_path, a_file(an_entry("a\x1b[31m[red]b"), limit_kw=5))
    assert "\x1b" not in out
    assert "[red]" in out.replace("\n", "")


def test_the_command_draws_the_plan(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        command(tmp_path, EXAMPLE.read_text(), plot=tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("one.png", "two.png"))
    assert first.startswith(b"\x89PNG")
    assert first == second


def test_an_empty_plan_can_be_drawn(tmp_path: Path) -> None:
    command(tmp_path, a_file(), plot=tmp_path / "empty.png")
    assert (tmp_path / "empty.png").exists()


def test_all_algorithms_are_compared_on_the_same_problem(tmp_path: Path) -> None:
    code, out = command(tmp_path, EXAMPLE.read_text(), compare="all")
    assert code == 0
    assert all(name in out for name in names())
    _, out = command(tmp_path, EXAMPLE.read_text(), compare="fair, cost", as_json=True)
    fair, cost = json.loads(out)["compare"]
    assert (fair["algorithm"], cost["algorithm"]) == ("fair", "cost")
    assert cost["cost"] < fair["cost"]
    assert fair["energy_percent"] == pytest.approx(100.0)
    assert (fair["violations"], cost["violations"]) == (0, 0)


def test_a_comparison_says_what_a_plan_is_worth() -> None:
    request = read_request(
        a_file(
            an_entry("1", energy_kwh=10, departure="2026-03-03T09:00:00Z"),
            an_entry("2", energy_kwh=10, departure="2026-03-03T09:00:00Z"),
            limit_kw=10,
            prices=[{"start": NOW, "per_kwh": 0.5}],
            demand_charge_per_kw=2.0,
            peak_so_far_kw=4.0,
        ),
        "plan.json",
    )
    (score,) = compare(request.framing().problem, ["fair"], iter([1.0, 1.25]).__next__)
    assert score.energy_percent == pytest.approx(50.0)
    assert (score.worst, score.jain) == pytest.approx((0.5, 1.0))
    assert (score.peak_kw, score.pauses, score.violations) == pytest.approx((10.0, 0, 0))
    assert score.cost == pytest.approx(10 * 0.5 + 2.0 * (10 - 4))
    begun = replace(request.framing().problem, window_so_far_kwh=0.5)
    assert compare(begun, ["fair"], iter([1.0, 1.25]).__next__)[0].cost == pytest.approx(10 * 0.5 + 2.0 * (12 - 4))
    assert score.solve_ms == pytest.approx(250.0)


def test_the_demand_charge_is_for_the_highest_quarter_of_an_hour() -> None:
    """7.2 kW for the first five minutes of a quarter hour are 2.4 kW in its mean."""
    request = read_request(
        a_file(an_entry(energy_kwh=0.6, departure=NOON), limit_kw=10, demand_charge_per_kw=1.0), "plan.json"
    )
    problem = request.framing().problem
    power = np.zeros_like(problem.stay_h)
    power[0, 0] = 7.2
    assert problem.edges_s[1] == 300.0
    assert _cost_of(request, power) == pytest.approx(2.4)


def _cost_of(request: PlanRequest, power: Any) -> float:
    problem = request.framing().problem
    energy = np.minimum(problem.energy_kwh(power), problem.need_kwh)
    plan = Plan("test", power, energy, problem.need_kwh - energy, ())
    assert fractions(problem, plan) == pytest.approx([1.0])
    return plan_cost(problem, plan)


def test_an_algorithm_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="choose one of"):
        chosen("fair,fairer")
    with pytest.raises(SettingsError, match="choose one of"):
        command(tmp_path, a_file(), algorithm="fairer")


def test_a_bad_file_ends_the_command_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"now": "2026-03-03T08:00:00",\n "evs": []}')
    monkeypatch.setattr("sys.argv", ["optivgi", "plan", str(path)])
    assert main() == 2
    assert capsys.readouterr().err.startswith('bad.json line 1: now is "2026-03-03T08:00:00": it has no offset')
    monkeypatch.setattr("sys.argv", ["optivgi", "plan", str(tmp_path / "none.json")])
    assert main() == 2
    assert "cannot be read" in capsys.readouterr().err
