"""Limits and tariffs are read as they are meant, and wrong ones refused with all that is wrong."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from optivgi.errors import SettingsError
from optivgi.study.case import cross, load_tariff, parse_algorithms, parse_limits, parse_tariffs
from tests.study.days import EIGHT, after

BERLIN = ZoneInfo("Europe/Berlin")
TARIFF = """
demand_charge_per_kw = 12.5
[[price]]
from = "06:00"
per_kwh = 0.4
[[price]]
from = 22:00:00
per_kwh = 0.2
"""


def test_every_algorithm_meets_every_limit_and_tariff() -> None:
    cases = cross(parse_algorithms("fair,llf"), parse_limits("150,300", BERLIN), parse_tariffs("flat,flat:0.1", BERLIN))

    assert len(cases) == 8
    assert len(set(cases)) == 8
    assert "uncontrolled" in parse_algorithms("all")


@pytest.mark.parametrize("text", ["", "nope", "fair,nope"])
def test_unknown_algorithms_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(SettingsError, match=r"choose from .*llf.*uncontrolled"):
        parse_algorithms(text)


def test_a_constant_limit_has_one_step() -> None:
    (limit,) = parse_limits("150", BERLIN)

    assert [step.limit_kw for step in limit.series(EIGHT, after(200)).steps] == [150.0]


def test_a_limit_from_a_file_follows_the_sites_clock_for_the_whole_stretch(tmp_path: Path) -> None:
    file = tmp_path / "evening.csv"
    file.write_text("from,to,kw\n17:00,19:00,40\n")

    (limit,) = parse_limits(str(file), BERLIN)
    series = limit.series(EIGHT, after(24 * 7))

    assert limit.name == "evening"
    assert [series.at(after(24 * day + 9)).limit_kw for day in range(7)] == [40.0] * 7
    assert [series.at(after(24 * day + 11)).limit_kw for day in range(7)] == [None] * 7


@pytest.mark.parametrize("text", ["", "abc", "-1", "nan", "1e9", "nowhere.csv"])
def test_wrong_limits_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_limits(f"{text},", BERLIN)


def test_prices_follow_the_sites_clock(tmp_path: Path) -> None:
    file = tmp_path / "night.toml"
    file.write_text(TARIFF)

    tariff = load_tariff(file, BERLIN)
    prices = tariff.prices(EIGHT, after(30))

    assert (tariff.name, tariff.demand_charge_per_kw) == ("night", 12.5)
    assert [(price.start, price.per_kwh) for price in prices[:3]] == [
        (after(-3), 0.4),
        (after(13), 0.2),
        (after(21), 0.4),
    ]
    assert prices[-1].start > after(48)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "is not TOML"),
        ("", "has no \\[\\[price\\]\\]"),
        ("[[price]]\nper_kwh = 1\n", "price 1: from is missing"),
        ("[[price]]\nfrom = '25:00'\nper_kwh = 1\n", "price 1: from '25:00'"),
        ("[[price]]\nfrom = '05:00'\nper_kwh = 'x'\n", "price 1: per_kwh is 'x'"),
        ("[[price]]\nfrom = '05:00'\nper_kwh = 1\nto = 5\n", "price 1: to is not known"),
        ("demand_charge_per_kw = -1\n[[price]]\nfrom = '05:00'\nper_kwh = 1\n", "demand_charge_per_kw is -1"),
    ],
)
def test_wrong_tariffs_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.toml").write_text(text)

    with pytest.raises(SettingsError, match=said):
        parse_tariffs(str(tmp_path / "t.toml"), BERLIN)


def test_a_flat_price_must_be_a_number() -> None:
    with pytest.raises(SettingsError, match="'dear'"):
        parse_tariffs("flat:dear", BERLIN)
