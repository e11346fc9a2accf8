"""Meters that tell something else than what flows, and transactions whose end is not told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from simulator.faults.fault import Fault
from simulator.meter import Sample, SampledValue
from simulator.outputs import MeterSampled, Output, TransactionStarted, TransactionStopped

REGISTER = "Energy.Active.Import.Register"


class MeterBackwards(Fault):
    """The energy register counts down from what it showed when the transaction began."""

    def __init__(self) -> None:
        self._begin_wh: dict[int, float] = {}

    def said(self, output: Output) -> Iterable[Output]:
        if isinstance(output, TransactionStarted):
            self._begin_wh[output.tx] = output.meter_start_wh
        elif isinstance(output, MeterSampled) and output.tx in self._begin_wh:
            twice = 2 * self._begin_wh[output.tx]
            return [replace(output, samples=_with_register(output.samples, lambda wh: twice - wh))]
        elif isinstance(output, TransactionStopped) and output.tx in self._begin_wh:
            twice = 2 * self._begin_wh.pop(output.tx)
            samples = _with_register(output.samples, lambda wh: twice - wh)
            return [replace(output, meter_stop_wh=round(twice - output.meter_stop_wh), samples=samples)]
        return [output]


class MeterMissing(Fault):
    """No MeterValues are sent."""

    def said(self, output: Output) -> Iterable[Output]:
        return [] if isinstance(output, MeterSampled) else [output]


class MeterStuck(Fault):
    """From `after_s` into a transaction on, every sample shows what the last one before showed; so does the stop."""

    def __init__(self, after_s: float) -> None:
        self._after = timedelta(seconds=after_s)
        self._begin: dict[int, datetime] = {}
        self._shown: dict[int, tuple[SampledValue, ...]] = {}

    def said(self, output: Output) -> Iterable[Output]:
        if isinstance(output, TransactionStarted):
            self._begin[output.tx] = output.at
        elif isinstance(output, MeterSampled) and output.tx in self._begin:
            return [replace(output, samples=tuple(self._seen(output.tx, sample) for sample in output.samples))]
        elif isinstance(output, TransactionStopped):
            self._begin.pop(output.tx, None)
            shown = self._shown.pop(output.tx, ())
            registers = [int(float(value.value)) for value in shown if value.measurand == REGISTER]
            return [replace(output, meter_stop_wh=registers[0] if registers else output.meter_stop_wh)]
        return [output]

    def _seen(self, tx: int, sample: Sample) -> Sample:
        if tx not in self._shown or sample.at < self._begin[tx] + self._after:
            self._shown[tx] = sample.values
        return replace(sample, values=self._shown[tx])


class MeterDoubled(Fault):
    """Every MeterValues is sent twice."""

    def said(self, output: Output) -> Iterable[Output]:
        return [output, output] if isinstance(output, MeterSampled) else [output]


class MeterForeignTransaction(Fault):
    """Every MeterValues names another transaction: its own id plus `offset`."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def said(self, output: Output) -> Iterable[Output]:
        return [replace(output, id_offset=self._offset) if isinstance(output, MeterSampled) else output]


class StopLost(Fault):
    """StopTransaction is never sent."""

    def said(self, output: Output) -> Iterable[Output]:
        return [] if isinstance(output, TransactionStopped) else [output]


def _with_register(samples: tuple[Sample, ...], change: Callable[[float], float]) -> tuple[Sample, ...]:
    return tuple(
        replace(
            sample,
            values=tuple(
                replace(value, value=f"{change(float(value.value)):.3f}") if value.measurand == REGISTER else value
                for value in sample.values
            ),
        )
        for sample in samples
    )
