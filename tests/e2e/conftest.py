"""What end-to-end tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ScenarioFile = Callable[..., str]


@pytest.fixture
def scenario_file(tmp_path: Path) -> ScenarioFile:
    """Writes a scenario of equal EVs, one per station, and returns its path."""

    def write(evs: int, every_s: float, stay_s: float) -> str:
        sessions: list[dict[str, Any]] = [
            {
                "station_id": f"OPTIVGI-STATION-{number:02d}",
                "connector_id": 1,
                "arrive_offset_s": (number - 1) * every_s,
                "depart_offset_s": (number - 1) * every_s + stay_s,
                "capacity_kwh": 60.0,
                "arrival_soc": 0.2,
                "target_soc": 1.0,
                "max_charge_rate_kw": 7.2,
                "id_tag": f"OPTIVGI-{number:02d}",
                "auto_start": True,
            }
            for number in range(1, evs + 1)
        ]
        path = tmp_path / "scenario.json"
        path.write_text(json.dumps({"description": "equal EVs", "sessions": sessions}))
        return str(path)

    return write
