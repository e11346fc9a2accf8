"""What a station owes its CSMS is kept in order, tried again, and given up only after the configured attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from simulator.outbox import Outbox, belongs
from simulator.outputs import (
    CableAwaited,
    MeterSampled,
    StatusChanged,
    TransactionOutput,
    TransactionStarted,
    TransactionStopped,
)

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def start(tx: int = 1) -> TransactionStarted:
    return TransactionStarted(tx, 1, "TAG", 0, NOON, None)


def values(tx: int = 1) -> MeterSampled:
    return MeterSampled(1, tx, ())


def stop(tx: int = 1) -> TransactionStopped:
    return TransactionStopped(tx, 10, NOON, "Local")


def filled(*outputs: TransactionOutput) -> Outbox:
    outbox = Outbox()
    for order, output in enumerate(outputs):
        outbox.put(order, output)
    return outbox


def head(outbox: Outbox) -> TransactionOutput | None:
    owed = outbox.head()
    return owed.output if owed else None


def test_order_is_kept_and_the_id_of_a_late_start_reaches_what_follows() -> None:
    outbox = filled(start(), values(), stop())
    assert head(outbox) == start()
    assert outbox.transaction_id(1) is None
    outbox.answered("77")
    assert head(outbox) == values()
    assert outbox.transaction_id(1) == "77"
    outbox.answered()
    assert head(outbox) == stop()
    outbox.answered()
    assert head(outbox) is None
    assert outbox.transaction_id(1) is None


def test_failed_message_waits_longer_each_time_and_goes_in_the_end() -> None:
    outbox = filled(start(), start(2))
    assert outbox.failed(NOON, 3, 10)
    owed = outbox.head()
    assert owed is not None
    assert owed.not_before == NOON + timedelta(seconds=10)
    assert outbox.failed(NOON, 3, 10)
    assert owed.not_before == NOON + timedelta(seconds=20)
    assert not outbox.failed(NOON, 3, 10)
    assert head(outbox) == start(2)
    assert outbox.dropped == 1


def test_messages_of_a_transaction_that_never_got_an_id_go_with_it() -> None:
    outbox = filled(start(), values(), stop(), start(2), values(2))
    outbox.failed(NOON, 1, 10)
    assert head(outbox) == start(2)
    assert outbox.dropped == 3
    outbox.answered("5")
    assert head(outbox) == values(2)


def test_failed_meter_values_do_not_take_the_stop_with_them() -> None:
    outbox = filled(start(), values(), stop())
    outbox.answered("5")
    outbox.failed(NOON, 1, 10)
    assert head(outbox) == stop()


def test_only_transaction_messages_are_kept() -> None:
    assert belongs(start())
    assert belongs(values())
    assert belongs(stop())
    assert not belongs(MeterSampled(1, None, ()))
    assert not belongs(StatusChanged(1, "Available", "NoError", NOON))
    assert not belongs(CableAwaited(1))
