"""The comparison of books: nothing lost, nothing doubled, every watt-hour in its place."""

from __future__ import annotations

from typing import Any

import pytest

from bench.chaos.books import Difference, Entry, compared, of_the_chargers, of_the_csms

LOG = """
2026-03-03 08:00:01 [Opti-VGI] A: transaction #1 of TAG-1 begins at connector 1, meter at 1000 Wh
2026-03-03 08:00:02 [Opti-VGI] B: transaction #1 of TAG-2 begins at connector 2, meter at 0 Wh
2026-03-03 08:00:09 [Opti-VGI] A: transaction #1 has ended (EVDisconnected), meter at 1250 Wh
"""
ENDED = Entry("A", 1, 1000, 1250, 250)
RUNNING = Entry("B", 2, 0, None, None)


def rows(**more: Any) -> dict[str, list[dict[str, Any]]]:
    return {
        "Transactions": [
            {"id": 1, "stationId": "A", "isActive": False, "totalKwh": 0.25, "Connector": {"connectorId": 1}},
            {"id": 2, "stationId": "B", "isActive": True, "totalKwh": 0.0, "Connector": {"connectorId": 2}},
        ],
        "StartTransactions": [
            {"transactionDatabaseId": 1, "stationId": "A", "meterStart": 1000},
            {"transactionDatabaseId": 2, "stationId": "B", "meterStart": 0},
        ],
        "StopTransactions": [{"transactionDatabaseId": 1, "stationId": "A", "meterStop": 1250}],
    }


def test_both_sides_read_the_same() -> None:
    assert of_the_chargers(LOG) == [ENDED, RUNNING] == of_the_csms(rows())
    assert compared(of_the_chargers(LOG), of_the_csms(rows())).agrees


@pytest.mark.parametrize(
    ("csms", "lost", "doubled", "off_wh"),
    [
        ([RUNNING], (ENDED,), (), 250),
        ([ENDED, ENDED, RUNNING], (), (ENDED,), 250),
        ([Entry("A", 1, 1000, 1250, 249), RUNNING], (), (), 1),
        ([Entry("A", 1, 1000, None, None), RUNNING], (), (), 250 + 1250),
        ([ENDED, Entry("C", 2, 0, None, None)], (RUNNING,), (Entry("C", 2, 0, None, None),), 0),
    ],
    ids=["lost", "doubled", "a watt-hour off", "never stopped", "at another station"],
)
def test_every_difference_is_found(
    csms: list[Entry], lost: tuple[Entry, ...], doubled: tuple[Entry, ...], off_wh: int
) -> None:
    difference = compared([ENDED, RUNNING], csms)
    assert difference == Difference(2, lost, doubled, off_wh)
    assert not difference.agrees
