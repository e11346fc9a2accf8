"""`optivgi verify` and `python verify.py`: what they print and write, and how they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from optivgi import verifier
from tests.report.histories import curtailed, history, judged, with_session
from tests.report.http_service import serving
from tests.report.traces import write_trace

ROOT = Path(__file__).parents[2]


def nothing_happened(_path: str, asked: str) -> tuple[int, Any]:
    """Answers as a data service does whose tables are empty."""
    table = next(name for name in ("Transactions", "OCPPMessages", "MeterValues") if f" {name}(where" in asked)
    return 200, {"data": {table: []}}


Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from any .env."""
    monkeypatch.chdir(tmp_path)


def test_the_script_at_the_root_is_the_command(tmp_path: Path) -> None:
    with serving(nothing_happened) as url:
        command = [sys.executable, str(ROOT / "verify.py"), "--url", url, "--json"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 1
    assert json.loads(result.stdout)["passed"] is False
    assert "Result: 0/5 checks passed -- FAIL" in result.stderr


def test_a_stack_that_cannot_be_reached_exits_2_and_says_what_to_do(capsys: Output) -> None:
    assert verifier.main(["--url", "http://127.0.0.1:9"]) == 2

    said = capsys.readouterr()
    assert "Cannot verify: http://127.0.0.1:9/v1/graphql cannot be reached" in said.err
    assert "--url" in said.err
    assert said.out == ""


def test_a_stack_at_which_nothing_happened_fails_every_check(capsys: Output) -> None:
    with serving(nothing_happened) as url:
        assert verifier.main(["--url", url, "--limit", "25", "--voltage", "230"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"Config: url={url}, site_limit=25.0 kW, voltage=230.0 V"
    assert lines[-1] == "Result: 0/5 checks passed -- FAIL"


def test_a_broken_setting_exits_2_and_is_named(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / ".env").write_text("SITE_POWER_LIMIT_KW=much\n")

    assert verifier.main([]) == 2
    assert "SITE_POWER_LIMIT_KW" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [("--limit", "-3"), ("--limit", "nan"), ("--since", "yesterday"), ("--grace", "-1"), ("--grace", "nan")],
)
def test_a_bad_option_exits_2(arguments: tuple[str, ...], capsys: Output) -> None:
    with pytest.raises(SystemExit) as stopped:
        verifier.main(arguments)

    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_picture_and_json_go_where_they_are_asked_for(tmp_path: Path, capsys: Output) -> None:
    report = judged(history(*with_session(curtailed(), 3, drawn=[(123.3, 7.2)]), end_s=1300))

    verifier.publish(
        report,
        plot_file=tmp_path / "picture.png",
        json_file=str(tmp_path / "facts.json"),
        report_file=tmp_path / "run.html",
    )

    assert (tmp_path / "picture.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "facts.json").read_text())["checks"][4]["passed"] is False
    printed = capsys.readouterr().out
    assert printed.startswith(report.text())
    assert printed.splitlines()[-2:] == [
        f"Picture: {tmp_path / 'picture.png'}",
        f"Report: {tmp_path / 'run.html'}",
    ]
    assert (tmp_path / "run.html").read_text().startswith("<!DOCTYPE html>")


def test_a_trace_adds_a_check_and_a_limit_file_replaces_the_limit(tmp_path: Path, capsys: Output) -> None:
    trace, limit = tmp_path / "trace.csv", tmp_path / "limit.csv"
    write_trace(trace, curtailed(2), 100)
    limit.write_text("at,kw\n1970-01-01T00:00:00Z,12\n")
    with serving(nothing_happened) as url:
        code = verifier.main(["--url", url, "--trace", str(trace), "--limit-file", str(limit), "--grace", "2"])

    assert code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"Config: url={url}, site_limit=12.0 kW, 2 s to respond, voltage=240.0 V"
    assert lines[7].startswith("[FAIL] Check 6: Truth within limit -- Cannot tell: no session in the window")
    assert lines[-1] == "Result: 0/6 checks passed -- FAIL"


@pytest.mark.parametrize(("option", "said"), [("--trace", "trace"), ("--limit-file", "--limit-file")])
def test_a_file_that_is_not_there_exits_2_and_is_named(option: str, said: str, capsys: Output) -> None:
    with serving(nothing_happened) as url:
        assert verifier.main(["--url", url, option, "no-such.csv"]) == 2

    error = capsys.readouterr().err
    assert "Cannot verify" in error
    assert said in error
    assert "no-such.csv" in error


def test_circuits_of_the_site_file_and_station_groups_are_checks(tmp_path: Path, capsys: Output) -> None:
    site = '[[circuit]]\nid = "main"\nlimit_kw = 30\n[[circuit]]\nid = "panel"\nparent = "main"\nlimit_kw = 9\n'
    (tmp_path / "site.toml").write_text(site)
    (tmp_path / ".env").write_text("SITE_FILE=site.toml\n")
    with serving(nothing_happened) as url:
        assert verifier.main(["--url", url]) == 1

    assert "Check 6: Circuit panel within limit -- no session there" in capsys.readouterr().out


def test_a_site_file_that_makes_no_sense_exits_2_and_is_named(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "site.toml").write_text("[[circuit]]\nid = 7\n")
    (tmp_path / ".env").write_text("SITE_FILE=site.toml\n")

    assert verifier.main([]) == 2
    assert "site.toml" in capsys.readouterr().err
