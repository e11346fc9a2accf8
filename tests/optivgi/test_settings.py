"""A wrong setting stops the start and says everything that is wrong; a right one is shown with where it came from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from optivgi.errors import SettingsError
from optivgi.settings import OptimizerSettings, effective, load_settings
from optivgi.settings_screen import print_effective

EnvFile = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in effective(OptimizerSettings, None):
        monkeypatch.delenv(line.name, raising=False)


@pytest.fixture
def env_file(tmp_path: Path) -> EnvFile:
    def write(text: str) -> Path:
        path = tmp_path / "site.env"
        path.write_text(text)
        return path

    return write


def problems_of(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return list(caught.value.problems)


def test_nothing_set_gives_the_documented_defaults() -> None:
    settings = load_settings(None)
    assert settings.limit_kw("default") == 30.0
    assert settings.station_ids == tuple(f"OPTIVGI-STATION-0{number}" for number in range(1, 7))
    assert settings.amqp_url == "amqp://guest:guest@amqp-broker:5672"
    site = settings.site_view()
    assert (site.voltage_v, site.groups, site.evs) == (240.0, {"default": None}, {})
    assert (site.default_ev.energy_needed_kwh, site.default_ev.max_kw, site.default_ev.min_kw) == (20.0, 7.2, 1.4)


def test_the_environment_wins_over_the_file(env_file: EnvFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = env_file("SITE_POWER_LIMIT_KW=20\nCONN_01_MAX_POWER_KW=11\nVOLTAGE=230\n")
    monkeypatch.setenv("SITE_POWER_LIMIT_KW", "10")
    settings = load_settings(path)
    assert settings.limit_kw("default") == 10.0
    assert settings.voltage == 230.0
    assert settings.site_view().ev("OPTIVGI-STATION-01").max_kw == 11.0


def test_each_station_has_its_own_ev(env_file: EnvFile) -> None:
    site = load_settings(
        env_file(
            "CONN_02_ARRIVAL_TIME=22:00\nCONN_02_DEPARTURE_TIME=2026-03-03T07:00:00+01:00\nCONN_2_MIN_POWER_KW=2\n"
        )
    ).site_view()
    ev = site.ev("OPTIVGI-STATION-02")
    assert (ev.arrival, ev.departure, ev.min_kw) == (time(22), datetime(2026, 3, 3, 6, tzinfo=UTC), 2.0)
    assert site.ev("OPTIVGI-STATION-01") == site.default_ev


def test_groups_have_stations_and_limits(env_file: EnvFile) -> None:
    settings = load_settings(env_file("STATION_GROUPS=north=A,B;south=C\nSITE_POWER_LIMIT_KW=north=20;south=10.5\n"))
    assert settings.site_view().stations("north") == ("A", "B")
    assert (settings.limit_kw("north"), settings.limit_kw("south")) == (20.0, 10.5)


def test_an_empty_value_means_the_default_but_an_empty_address_means_none(env_file: EnvFile) -> None:
    settings = load_settings(
        env_file("SITE_POWER_LIMIT_KW=\nAMQP_URL=\nCONN_01_MAX_POWER_KW=\nCONN_01_ARRIVAL_TIME=\n")
    )
    assert (settings.limit_kw("default"), settings.amqp_url) == (30.0, "")
    assert settings.site_view().ev("OPTIVGI-STATION-01") == settings.site_view().default_ev


def test_every_problem_is_listed_at_once_with_value_bound_and_remedy(env_file: EnvFile) -> None:
    path = env_file(
        "SITE_POWER_LIMIT_KW=abc\nVOLTAGE=nan\nCONN_01_MAX_POWER_KW=-3\nCONN_02_MAXPOWER_KW=3\n"
        "CONN_09_MAX_POWER_KW=3\nCONN_XX_MAX_POWER_KW=3\nCONN_03_MIN_POWER_KW=9\nCONN_04_DEPARTURE_TIME=late\n"
        "STATION_GROUPS=a=S1;b=S1\nSITE_TIME_ZONE=Europe/Berln\nLOG_LEVEL=loud\nMETRICS_PORT=70000\n"
    )
    assert problems_of(path) == [
        "CONN_XX_MAX_POWER_KW is not a setting: XX must be a station's number, e.g. CONN_01_MAX_POWER_KW",
        "SITE_POWER_LIMIT_KW is 'abc'; it must be a number of kW from 0 to 100000, or one per station group as in "
        "north=20;south=10, e.g. SITE_POWER_LIMIT_KW=30",
        "VOLTAGE is 'nan'; it must be a number of volts above 0 and at most 1000 (phase voltage), e.g. VOLTAGE=240.0",
        "SITE_TIME_ZONE is 'Europe/Berln': no such zone is known, Europe/Berlin is; it must be a time zone's name, "
        "e.g. SITE_TIME_ZONE=Europe/Berlin",
        "LOG_LEVEL is 'loud'; it must be DEBUG, INFO, WARNING or ERROR, e.g. LOG_LEVEL=INFO",
        "METRICS_PORT is '70000'; it must be a port from 1 to 65535, or 0 for none, e.g. METRICS_PORT=9100",
        "CONN_01_MAX_POWER_KW is '-3'; it must be a number of kW above 0 and at most 1000, e.g. CONN_01_MAX_POWER_KW=7.2",
        "CONN_02_MAXPOWER_KW is not a setting: did you mean CONN_02_MAX_POWER_KW?",
        "CONN_03_...: MIN_POWER_KW 9 is above MAX_POWER_KW 7.2: lower one, raise the other",
        "CONN_04_DEPARTURE_TIME is 'late': 'late' is neither a time such as \"08:00\" nor a date and time with offset "
        'such as "2026-03-03T14:00:00Z"; it must be a time of day, a date and time with offset, or empty, '
        "e.g. CONN_04_DEPARTURE_TIME=14:00",
        "STATION_GROUPS puts station 'S1' in 'a' and in 'b': choose one",
        "CONN_09_...: XX is 09, but STATION_IDS has 6 stations: use 01 to 06",
    ]


def test_an_unknown_algorithm_is_a_problem_among_the_others(env_file: EnvFile) -> None:
    known = "cost, edf, equal, fair, fcfs, go, llf, pulp, round_robin"
    assert problems_of(env_file("ALGORITHM=fairr\nALGORITHM_FALLBACK=magic\nVOLTAGE=0\n")) == [
        "VOLTAGE is '0'; it must be a number of volts above 0 and at most 1000 (phase voltage), e.g. VOLTAGE=240.0",
        "ALGORITHM is 'fairr': there is no such algorithm, did you mean fair?; "
        f"it must be one of {known}, e.g. ALGORITHM=fair",
        "ALGORITHM_FALLBACK is 'magic': there is no such algorithm; it must be what decides if ALGORITHM gives no good "
        f"plan: one of {known}, e.g. ALGORITHM_FALLBACK=llf",
    ]


def test_the_listing_reads_the_files_that_settings_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.toml").write_text('[[circuit]]\nid = "main"\nlimit_amps = 63\n')
    monkeypatch.setenv("SITE_FILE", "site.toml")
    monkeypatch.setenv("LIMIT_SCHEDULE_FILE", "none.csv")
    with pytest.raises(SettingsError) as caught:
        print_effective()
    assert "site.toml line 3: circuit[0].limit_amps is not a field" in caught.value.problems[0]
    assert "LIMIT_SCHEDULE_FILE is 'none.csv', which cannot be read" in caught.value.problems[1]


@pytest.mark.parametrize("value", ["inf", "-1", "nan", "1e9", "thirty"])
@pytest.mark.parametrize("name", ["SITE_POWER_LIMIT_KW", "VOLTAGE", "SETTLE_S", "CONN_01_MAX_POWER_KW", "DEAD_BAND_KW"])
def test_a_number_outside_its_bounds_is_refused_by_name(env_file: EnvFile, name: str, value: str) -> None:
    (problem,) = problems_of(env_file(f"{name}={value}\n"))
    assert problem.startswith(f"{name} is {value!r}")
    assert "must be" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "STATION_GROUPS=a=S1;b=S2\n",
            "SITE_POWER_LIMIT_KW is one number for 2 station groups: give each its own, e.g. SITE_POWER_LIMIT_KW=a=20;b=20",
        ),
        (
            "STATION_GROUPS=a=S1;b=S2\nSITE_POWER_LIMIT_KW=a=20\n",
            "SITE_POWER_LIMIT_KW has no limit for station group 'b': add b=<kW>",
        ),
        (
            "SITE_POWER_LIMIT_KW=default=20;nowhere=3\n",
            "SITE_POWER_LIMIT_KW names station group 'nowhere', which STATION_GROUPS does not: known are default",
        ),
        (
            "STATION_GROUPS=a=S1;b\nSITE_POWER_LIMIT_KW=a=20;b=3\n",
            "STATION_GROUPS gives group 'b' no stations, which is right only for a single group: name them, e.g. b=ST-01,ST-02",
        ),
        (
            "TRANSLATION=http_api\n",
            "HTTP_API_URL is empty, but TRANSLATION=http_api needs it: set e.g. HTTP_API_URL=http://localhost:8000",
        ),
        (
            "STATION_IDS=A,A\n",
            "STATION_IDS is 'A,A': A is there more than once; it must be station ids, each once, separated by commas, "
            "e.g. STATION_IDS=ST-01,ST-02",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_named(env_file: EnvFile, text: str, problem: str) -> None:
    assert problems_of(env_file(text)) == [problem]


def test_a_password_never_shows(env_file: EnvFile) -> None:
    path = env_file("AMQP_URL=http://me:hunter2@host\nHASURA_ADMIN_SECRET=hunter2\n")
    shown = [*problems_of(path), *(line.value for line in effective(OptimizerSettings, path))]
    assert not [text for text in shown if "hunter2" in text]
    assert "hunter2" not in repr(load_settings(env_file("HASURA_ADMIN_SECRET=hunter2\n")))


def test_the_listing_says_where_each_value_came_from(env_file: EnvFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = env_file("VOLTAGE=230\nSITE_POWER_LIMIT_KW=20\nCONN_01_MAX_POWER_KW=11\n")
    monkeypatch.setenv("SITE_POWER_LIMIT_KW", "10")
    lines = {line.name: (line.value, line.source) for line in effective(OptimizerSettings, path)}
    assert lines["SITE_POWER_LIMIT_KW"] == ("10", "environment")
    assert lines["VOLTAGE"] == ("230", ".env")
    assert lines["CONN_01_MAX_POWER_KW"] == ("11", ".env")
    assert lines["CONN_XX_MAX_POWER_KW"] == ("7.2", "default")
    assert lines["SETTLE_S"] == ("5.0", "default")


def test_a_site_meter_says_all_that_it_lacks_at_once(env_file: EnvFile) -> None:
    found = problems_of(env_file("METER_SOURCE=mqtt\nMETER_URL=http://broker\nMETER_GROUP=north\n"))
    assert [problem.split()[0] for problem in found] == ["BASE_LOAD_MAX_KW", "METER_URL", "METER_GROUP"]
    assert "e.g. METER_URL=mqtt://user:password@broker:1883/site/meter" in found[1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("METER_FIELDS=powr=a.b", "'powr' is no quantity; did you mean power?"),
        ("METER_FIELDS=time=t", "it has no power"),
        ("METER_FIELDS=power=", "power has no place"),
        ("METER_SOURCE=zigbee", "none, mqtt, http, modbus or ocpp"),
        ("BASE_LOAD_MAX_KW=-1", "from 0 to 100000"),
        ("METER_SOURCE=mqtt\nBASE_LOAD_MAX_KW=9\nMETER_URL=mqtts://broker", "has no topic"),
        ("METER_SOURCE=ocpp\nBASE_LOAD_MAX_KW=9", "METER_STATION is ''"),
    ],
)
def test_a_wrong_site_meter_is_named(env_file: EnvFile, line: str, words: str) -> None:
    (problem,) = problems_of(env_file(line + "\n"))
    assert words in problem


def test_the_password_of_a_site_meter_is_not_shown(env_file: EnvFile) -> None:
    path = env_file("METER_SOURCE=mqtt\nBASE_LOAD_MAX_KW=20\nMETER_URL=mqtt://meter:hush@broker/site\n")
    assert "hush" not in repr(load_settings(path))
    assert not any("hush" in line.value for line in effective(OptimizerSettings, path))
