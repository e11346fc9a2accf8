"""A site's circuits from a file: what it says holds, and whatever is wrong in it is named at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from optivgi.algorithms import algorithm
from optivgi.errors import SettingsError
from optivgi.limits.registers import Register
from optivgi.limits.site_file import load_site
from optivgi.limits.site_tree import SiteFile
from optivgi.model.ev_config import EVConfig, SiteView
from optivgi.model.framing import frame
from optivgi.settings import OptimizerSettings, load_settings
from optivgi.site_setup import site_setup
from optivgi.testing import a_snapshot, an_ev
from tests.optivgi.control_room import ControlRoom

TUESDAY = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
EVENING = TUESDAY.replace(hour=18)
STATIONS = tuple(f"ST-{number}" for number in range(1, 7))
VIEW = SiteView(STATIONS, EVConfig(20.0, 7.2, 1.4), 240.0)
TWO_GROUPS = replace(VIEW, groups={"north": STATIONS[:3], "south": STATIONS[3:]})
MAIN = '[[circuit]]\nid = "main"\nlimit_kw = 30\n'
EXAMPLES = sorted((Path(__file__).parents[2] / "scenarios/sites").glob("*.toml"))


def a_site(folder: Path, text: str, view: SiteView = VIEW) -> SiteFile:
    path = folder / "site.toml"
    path.write_text(text)
    return load_site(path, view)


def problems_of(folder: Path, text: str, view: SiteView = VIEW) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        a_site(folder, text, view)
    return list(caught.value.problems)


def test_circuits_make_a_tree_with_their_limits(tmp_path: Path) -> None:
    text = '[[circuit]]\nid = "panel"\nparent = "main"\nlimit_a = 63\nlabel = "panel fuse"\n\n' + MAIN
    site = a_site(tmp_path, text).site("default", TUESDAY)
    assert [(c.circuit_id, c.parent, c.limit_a, c.label) for c in site.circuits] == [
        ("main", None, None, ""),
        ("panel", "main", 63.0, "panel fuse"),
    ]
    assert site.root.limit is not None
    assert (site.root.limit.at(TUESDAY).limit_kw, site.root.limit.at(TUESDAY).source) == (30.0, "main limit")


def test_a_circuit_has_a_schedule_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "evenings.csv").write_text("from,to,kw\n19:00,20:00,5\n")
    text = MAIN + (
        'label = "grid connection"\nschedule_file = "evenings.csv"\n'
        'schedule = [{ from = "17:00", to = "20:00", kw = 12, days = "Mon-Fri" }]\n'
    )
    limit = a_site(tmp_path, text).site("default", TUESDAY).root.limit
    assert limit is not None
    steps = [limit.at(TUESDAY.replace(hour=hour)) for hour in (16, 17, 19, 20)]
    assert [(step.limit_kw, step.source) for step in steps] == [
        (30.0, "grid connection"),
        (12.0, "grid connection by schedule"),
        (5.0, "grid connection by schedule"),
        (30.0, "grid connection"),
    ]


def test_a_rotation_says_from_which_phases_of_the_site_an_ev_draws(tmp_path: Path) -> None:
    text = MAIN + (
        '[[evse]]\nstation_id = "ST-1"\nrotation = "L2L3L1"\n'
        '[[evse]]\nstation_id = "ST-2"\nrotation = "L2L3L1"\nphases = 1\n'
        '[[evse]]\nstation_id = "ST-3"\nrotation = "L3"\npriority = 2\n'
        '[[evse]]\nstation_id = "ST-3"\nconnector_id = 2\nrotation = "L1"\n'
        '[[evse]]\nstation_id = "ST-4"\nphases = 3\n'
        '[[id_tag]]\nid_tag = "Van-7"\npriority = 4\n'
    )
    view = a_site(tmp_path, text).view(VIEW)
    assert view.ev("ST-1", 1).phases == ("L2", "L3", "L1")
    assert view.ev("ST-2", 1).phases == ("L2",)
    assert (view.ev("ST-3", 1).phases, view.ev("ST-3", 1).priority) == (("L3",), 2.0)
    assert view.ev("ST-3", 2).phases == ("L1",)
    assert view.ev("ST-4").phases == ("L1", "L2", "L3")
    assert (view.ev("ST-5").phases, view.ev("ST-5").circuit) == (("?",), "main")
    assert view.priority(view.ev("ST-3"), "VAN-7") == 4.0
    assert view.priority(view.ev("ST-3"), "other") == 2.0


def test_what_the_settings_say_of_a_station_is_kept(tmp_path: Path) -> None:
    view = replace(
        VIEW, evs={"ST-1": replace(VIEW.default_ev, max_kw=22.0), "ST-2": replace(VIEW.default_ev, max_kw=3.7)}
    )
    wired = a_site(tmp_path, MAIN + '[[evse]]\nstation_id = "ST-1"\nrotation = "L1L2L3"\n').view(view)
    assert (wired.ev("ST-1").max_kw, wired.ev("ST-1").circuit) == (22.0, "main")
    assert (wired.ev("ST-2").max_kw, wired.ev("ST-2").circuit) == (3.7, "main")


def test_each_station_group_has_a_tree_of_its_own(tmp_path: Path) -> None:
    text = (
        '[[circuit]]\nid = "n"\ngroup = "north"\nlimit_kw = 20\n[[circuit]]\nid = "n1"\nparent = "n"\n'
        '[[circuit]]\nid = "s"\ngroup = "south"\nlimit_kw = 10\nunbalance_kw = 4.6\n'
    )
    file = a_site(tmp_path, text, TWO_GROUPS)
    assert [c.circuit_id for c in file.site("north", TUESDAY).circuits] == ["n", "n1"]
    assert file.site("south", TUESDAY).unbalance_kw == 4.6
    view = file.view(TWO_GROUPS)
    assert (view.ev("ST-1").circuit, view.ev("ST-4").circuit) == ("n", "s")


def test_everything_wrong_in_a_file_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        'circuits = 3\n[[circuit]]\nid = "main"\nlimit_kw = -1\n'
        '[[circuit]]\nid = "panel"\nparent = "mian"\nlimit_amps = 63\n'
        '[[circuit]]\nid = "main"\nparent = "main"\nunbalance_kw = 1\nschedule = [{ from = "17:00", to = "x", kw = 1 }]\n'
        '[[evse]]\nstation_id = "ST-9"\nrotation = "L1L1"\npriority = 0\n'
        '[[evse]]\ncircuit = "panel"\n'
        '[[id_tag]]\nid_tag = "A"\npriority = 1\n[[id_tag]]\nid_tag = "a"\npriority = 1\n'
    )
    assert problems_of(tmp_path, text) == [
        "site.toml line 1: circuits is not a field; did you mean circuit?",
        "site.toml line 4: circuit[0].limit_kw is -1; it must be a number of kW from 0 to 100000 over all phases, e.g. 100",
        "site.toml line 8: circuit[1].limit_amps is not a field; did you mean limit_a?",
        "site.toml line 13: circuit[2].schedule[0]: to 'x' is neither a time such as \"08:00\" nor a date and time with "
        'offset such as "2026-03-03T14:00:00Z"',
        "site.toml line 12: circuit[2].unbalance_kw is for the grid connection alone, but 'main' has a parent: leave it out",
        "site.toml line 7: circuit[1].parent is 'mian', which is no circuit; did you mean 'main'?",
        "site.toml line 10: circuit[2].id is 'main' for a second time: give each circuit its own id",
        'site.toml line 16: evse[0].rotation is "L1L1"; it must be the site\'s phases behind its L1, L2, L3: L1L2L3, '
        'L2L3L1, L3L1L2, L1L3L2, L3L2L1, L2L1L3, or L1, L2, L3 alone, e.g. "L2L3L1"',
        "site.toml line 17: evse[0].priority is 0; it must be a number above 0 and at most 1000; 1 is normal, e.g. 2",
        "site.toml line 15: evse[0].station_id is 'ST-9', which STATION_IDS does not have; did you mean 'ST-6'?",
        'site.toml line 18: evse[1].station_id is missing; it must be a station\'s id of 1 to 48 characters, e.g. "ST-01"',
        "site.toml line 24: id_tag[1].id_tag is 'a' for a second time: name each once",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("circuit = 3\n", "line 1: circuit is 3; it must be tables [[circuit]]"),
        ("", "circuit is missing; it must be tables [[circuit]], one of them without a parent"),
        ("circuit = [3]\n", "circuit[0] is 3; write it as a table [[circuit]]"),
        ("circuit = []\n", "has no grid connection for station group 'default': give one circuit no parent"),
        (MAIN + '[[circuit]]\nid = "b"\n', "line 4: circuit[1].parent is missing, but station group 'default' has its"),
        (MAIN + '[[circuit]]\nid = "main"\nparent = "main"\n', "line 5: circuit[1].id is 'main' for a second time"),
        (MAIN + '[[circuit]]\nid = "b"\nparent = "b"\n', "line 6: circuit[1].parent is 'b', which hangs on 'b' itself"),
        (
            MAIN + '[[circuit]]\nid = "b"\nparent = "c"\n',
            "line 6: circuit[1].parent is 'c', which is no circuit; known",
        ),
        (
            MAIN + 'group = "x"\n',
            "line 4: circuit[0].group is 'x', which STATION_GROUPS does not have; known are default",
        ),
        (MAIN + 'schedule_file = "no.csv"\n', "line 4: circuit[0].schedule_file is "),
        (MAIN + "schedule = [3]\n", "line 4: circuit[0].schedule[0] is 3; it must be a table"),
        (MAIN + '[[evse]]\nstation_id = "ST-1"\ncircuit = "mein"\n', "line 6: evse[0].circuit is 'mein', which is no"),
        (MAIN + '[[evse]]\nstation_id = "ST-1"\nrotation = "L2"\nphases = 3\n', "line 7: evse[0].phases is 3, but"),
        (MAIN + 2 * '[[evse]]\nstation_id = "ST-1"\n', "evse 'ST-1' is there more than once: keep one"),
    ],
)
def test_a_tree_that_does_not_hang_together_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems_of(tmp_path, text)
    assert found.startswith(f"site.toml {problem}")


def test_a_station_cannot_hang_on_a_circuit_of_another_group(tmp_path: Path) -> None:
    text = (
        '[[circuit]]\nid = "n"\ngroup = "north"\n[[circuit]]\nid = "s"\ngroup = "south"\n'
        '[[evse]]\nstation_id = "ST-1"\ncircuit = "s"\n'
    )
    (found,) = problems_of(tmp_path, text, TWO_GROUPS)
    assert found.startswith(
        "site.toml line 9: evse[0].circuit is 's' of station group 'south', but 'ST-1' is in 'north'"
    )


def test_several_groups_must_say_which_grid_connection_is_whose(tmp_path: Path) -> None:
    (found,) = problems_of(tmp_path, MAIN, TWO_GROUPS)
    assert found == (
        "site.toml line 1: circuit[0].group is missing; with several station groups it must be one of north, south"
    )
    (found,) = problems_of(tmp_path, MAIN + 'group = "north"\n', TWO_GROUPS)
    assert "no grid connection for station group 'south'" in found


def test_what_is_no_file_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"SITE_FILE is .*none.toml.* cannot be read"):
        load_site(tmp_path / "none.toml", VIEW)
    assert problems_of(tmp_path, "[[circuit]\n")[0].startswith("site.toml is not TOML: ")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_can_be_used_with_the_default_stations(path: Path) -> None:
    settings = load_settings(None).model_copy(update={"site_file": path})
    setup = site_setup(settings)
    site = setup.sites.site("default", TUESDAY)
    assert len(site.circuits) > 2
    configs = [(station_id, setup.view.ev(station_id, 1)) for station_id in settings.station_ids]
    evs = [
        an_ev(station_id, station_id=station_id, circuit=config.circuit, phases=config.phases)
        for station_id, config in configs
    ]
    assert frame(a_snapshot(*evs), site, TUESDAY).refused == ()


def test_the_default_limit_gives_way_to_the_files_own_and_a_stated_one_holds_beside_it(tmp_path: Path) -> None:
    path, schedule = tmp_path / "site.toml", tmp_path / "limits.csv"
    path.write_text(MAIN.replace("30", "80"))
    schedule.write_text("from,to,kw\n17:00,20:00,12\n")
    settings = load_settings(None)
    stated = settings.model_copy(update={"site_power_limit_kw": {"": 50.0}})

    def limit_kw(settings: OptimizerSettings, at: datetime = TUESDAY, **files: Path) -> float | None:
        return site_setup(settings.model_copy(update=files)).limit_kw("default", at)

    assert limit_kw(settings) == 30.0
    assert limit_kw(settings, site_file=path) == 80.0
    assert limit_kw(stated, site_file=path) == 50.0
    assert limit_kw(stated, EVENING, site_file=path, limit_schedule_file=schedule) == 12.0
    path.write_text('[[circuit]]\nid = "main"\n')
    assert limit_kw(settings, site_file=path) == 30.0


def test_problems_of_both_files_are_named_together(tmp_path: Path) -> None:
    settings = load_settings(None).model_copy(
        update={"site_file": tmp_path / "a.toml", "limit_schedule_file": tmp_path / "b.csv"}
    )
    with pytest.raises(SettingsError) as caught:
        site_setup(settings)
    assert [problem.split()[0] for problem in caught.value.problems] == ["SITE_FILE", "LIMIT_SCHEDULE_FILE"]


async def test_a_cycle_plans_and_sends_within_every_circuit(tmp_path: Path) -> None:
    """Six EVs of 7.2 kW under 30 kW, two of them behind a panel of 30 A on L1 and two behind one of 8 kW."""
    text = (
        MAIN.replace("30", "100")
        + '[[circuit]]\nid = "amps"\nparent = "main"\nlimit_a = 30\n'
        + '[[circuit]]\nid = "kilowatts"\nparent = "main"\nlimit_kw = 8\n'
    )
    file = a_site(tmp_path, text)
    room = ControlRoom(limit_kw=30, planner=algorithm("fair"), sites=file)
    circuits = {"1": "amps", "2": "amps", "3": "kilowatts", "4": "kilowatts", "5": "main", "6": "main"}
    evs = [an_ev(number, circuit=circuit) for number, circuit in circuits.items()]
    async with room.open():
        await room.arrive(*evs)
        await room.passes(30)
        allowed = room.allowed_kw()
        record = room.scheduler.history[-1]
    assert allowed["1"] + allowed["2"] <= 7.2
    assert allowed["3"] + allowed["4"] <= 8.0
    assert allowed["1"] + allowed["2"] == pytest.approx(7.2, abs=0.1)
    assert allowed["3"] + allowed["4"] == pytest.approx(8.0, abs=0.1)
    assert sum(allowed.values()) <= 30.0
    texts = {decision.ev.ev_id: decision.reason.text for decision in record.decisions}
    assert "30.0 A amps limit on L1" in texts["1"]
    assert "8.0 kW kilowatts limit" in texts["3"]
    assert record.limit is not None
    assert record.limit.limit_kw == 30.0


def test_the_registers_of_a_site_meter_are_read(tmp_path: Path) -> None:
    text = MAIN + '[[register]]\nvalue = "power"\naddress = 40087\ntype = "int16"\nword_order = "little"\nscale = 0.1\n'
    assert a_site(tmp_path, text).registers == (Register("power", 40087, "int16", "holding", "little", 0.1),)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ('value = "powr"\naddress = 1', 'register[0].value is "powr"; it must be one of power, '),
        ('value = "power"\naddress = 70000', "register[0].address is 70000"),
        ('value = "power"\naddress = 1\ntype = "float"', "register[0].type is"),
        ('value = "power"\naddress = 1\nscale = 0', "register[0].scale is 0"),
        ('value = "power_l1"\naddress = 1', "no power: give power, or all of"),
        ('value = "power"\naddress = 1\n[[register]]\nvalue = "power"\naddress = 2', "for a second time"),
    ],
)
def test_a_wrong_register_is_named(tmp_path: Path, fields: str, words: str) -> None:
    (problem,) = problems_of(tmp_path, f"{MAIN}[[register]]\n{fields}\n")
    assert words in problem
