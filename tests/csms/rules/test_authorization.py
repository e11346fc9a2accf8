from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from csms.rules.authorization import Authorization, authorize, authorize_start

NOW = datetime(2026, 3, 3, 8, tzinfo=UTC)


def tag(
    status: str = "Accepted",
    *,
    expires: datetime | None = None,
    concurrent_transactions: bool = False,
    parent_id_tag: str | None = None,
) -> Authorization:
    return Authorization(1, "TAG", status, expires, concurrent_transactions, parent_id_tag)


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, "Invalid"),
        (tag(), "Accepted"),
        (tag("Blocked"), "Blocked"),
        (tag("Expired"), "Expired"),
        (tag("Invalid"), "Invalid"),
        (tag("NoCredit"), "Blocked"),
        (tag("Unknown"), "Invalid"),
        (tag(expires=NOW), "Expired"),
        (tag(expires=NOW + timedelta(seconds=1)), "Accepted"),
        (tag("Blocked", expires=NOW), "Blocked"),
    ],
)
def test_an_id_tag_is_judged_by_status_and_expiry(authorization: Authorization | None, status: str) -> None:
    assert authorize(authorization, NOW).status == status


@pytest.mark.parametrize(
    ("authorization", "charging_elsewhere", "status"),
    [
        (tag(), 0, "Accepted"),
        (tag(), 1, "ConcurrentTx"),
        (tag(concurrent_transactions=True), 3, "Accepted"),
        (tag("Blocked"), 1, "Blocked"),
        (None, 0, "Invalid"),
    ],
)
def test_an_id_tag_charges_once_unless_it_may_more_often(
    authorization: Authorization | None, charging_elsewhere: int, status: str
) -> None:
    assert authorize_start(authorization, NOW, charging_elsewhere).status == status


def test_the_payload_names_expiry_and_parent() -> None:
    info = authorize(tag(expires=NOW + timedelta(days=1), parent_id_tag="FAMILY"), NOW)
    assert info.as_payload() == {
        "status": "Accepted",
        "expiryDate": "2026-03-04T08:00:00.000Z",
        "parentIdTag": "FAMILY",
    }


def test_a_parent_too_long_for_an_id_tag_is_left_out() -> None:
    assert authorize(tag(parent_id_tag="x" * 21), NOW).as_payload() == {"status": "Accepted"}
