"""Settings come from the environment and .env; all that is wrong with them is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from csms.errors import SettingsError
from csms.settings import CsmsSettings, load_settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CsmsSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def problems_of(monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[str, ...]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    return caught.value.problems


def test_the_defaults_are_those_of_the_demo() -> None:
    settings = load_settings(None)
    assert (settings.citrineos_port, settings.ocpp16_port, settings.hasura_port) == (8080, 8092, 8090)
    assert settings.amqp_url == "amqp://guest:guest@amqp-broker:5672"
    assert settings.database_url == "sqlite:///csms.sqlite3"
    assert settings.seed_id_tags == tuple(f"OPTIVGI-0{number}" for number in range(1, 7))
    assert settings.bind_host == "127.0.0.1"


def test_a_file_gives_values_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("HASURA_PORT=1234\nOCPP16_PORT=1235\nSEED_ID_TAGS=A, B,A\nOTHER=1\n")
    monkeypatch.setenv("HASURA_PORT", "4321")
    settings = load_settings(env_file)
    assert (settings.hasura_port, settings.ocpp16_port, settings.seed_id_tags) == (4321, 1235, ("A", "B"))


@pytest.mark.parametrize("name", ["AMQP_URL", "SEED_ID_TAGS", "HASURA_ADMIN_SECRET", "CALLBACK_HOSTS"])
def test_empty_means_none_where_none_means_something(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert load_settings(None).model_dump(mode="json")[name.lower()] in ("", [])


@pytest.mark.parametrize("name", ["HASURA_PORT", "DATABASE_URL", "LOG_LEVEL", "BIND_HOST", "CALL_TIMEOUT_S"])
def test_empty_means_the_default_elsewhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    default = getattr(load_settings(None), name.lower())
    monkeypatch.setenv(name, "")
    assert getattr(load_settings(None), name.lower()) == default


def test_every_problem_is_told_at_once_with_name_value_bound_and_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = problems_of(
        monkeypatch,
        CITRINEOS_PORT="80800",
        CALL_TIMEOUT_S="soon",
        LOG_LEVEL="LOUD",
        SEED_ID_TAGS="OK,much-too-long-for-an-id-tag",
        STATION_IDS="ST 01",
        AMQP_URL="http://broker",
        DATABASE_URL="mysql://x/y",
    )
    assert sorted(problems) == [
        "AMQP_URL is 'http://broker': it has no amqp:// or amqps:// and host; it must be an amqp or amqps address, or "
        "empty for no broker, e.g. AMQP_URL=amqp://guest:guest@amqp-broker:5672",
        "CALL_TIMEOUT_S is 'soon'; it must be a number of seconds from 1 to 600, e.g. CALL_TIMEOUT_S=20.0",
        "CITRINEOS_PORT is '80800'; it must be a port from 1 to 65535, or 0 for any that is free, "
        "e.g. CITRINEOS_PORT=8080",
        "DATABASE_URL is 'mysql://x/y': has scheme 'mysql': use sqlite:///path/to/file.sqlite or "
        "postgresql://user:password@host:5432/name; it must be sqlite:///<file> or "
        "postgresql://<user>:<password>@<host>:<port>/<name>, e.g. "
        "DATABASE_URL=postgresql://citrine:change-me@postgres:5432/citrine",
        "LOG_LEVEL is 'LOUD'; it must be DEBUG, INFO, WARNING or ERROR, e.g. LOG_LEVEL=INFO",
        "SEED_ID_TAGS is 'OK,much-too-long-for-an-id-tag': 'much-too-long-for-an-id-tag' is no idTag of 1 to 20 "
        "visible ASCII characters; it must be idTags separated by commas, or empty for none, e.g. "
        "SEED_ID_TAGS=OPTIVGI-01,OPTIVGI-02,OPTIVGI-03,OPTIVGI-04,OPTIVGI-05,OPTIVGI-06",
        "STATION_IDS is 'ST 01': 'ST 01' is no station id of 1 to 36 of A-Z a-z 0-9 * _ = + | @ . -; it must be "
        "station ids separated by commas, e.g. STATION_IDS=ST-01,ST-02",
    ]


def test_two_listeners_on_one_port_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems_of(monkeypatch, HASURA_PORT="8080") == (
        "HASURA_PORT is 8080, and so is CITRINEOS_PORT: give each its own port",
    )


def test_any_free_port_may_be_asked_for_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HASURA_PORT", "CITRINEOS_PORT", "OCPP16_PORT"):
        monkeypatch.setenv(name, "0")
    assert load_settings(None).hasura_port == 0


@pytest.mark.parametrize("name", ["AMQP_URL", "DATABASE_URL"])
def test_a_password_is_never_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = problems_of(monkeypatch, **{name: "ftp://me:s3cret@host/x"})
    assert "s3cret" not in problem
    assert "ftp://me:********@host/x" in problem


def test_secrets_are_not_in_the_representation() -> None:
    shown = repr(CsmsSettings(hasura_admin_secret="s3cret", database_url="postgresql://a:s3cret@b/c"))  # type: ignore[arg-type]
    assert "s3cret" not in shown


def test_every_setting_says_what_it_must_be_with_an_example() -> None:
    for name, field in CsmsSettings.model_fields.items():
        assert field.description, name
        assert field.examples, name
