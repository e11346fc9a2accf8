"""The optimizer's figures for Prometheus."""

from __future__ import annotations

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from optivgi.alarm import AlarmKind
from optivgi.leadership import Role, Standing
from optivgi.reconcile import Finding
from optivgi.record import CycleRecord
from optivgi.translation.base import Event, Outcome

HOP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """An Observer that counts. Each instance has a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._server: tuple[WSGIServer, threading.Thread] | None = None
        group = ["group"]
        self._events = Counter("optivgi_events", "OCPP events received", ["action"], registry=registry)
        self._cycles = Counter("optivgi_cycles", "Scheduling cycles", group, registry=registry)
        self._read_failures = Counter("optivgi_read_failures", "Cycles without fresh facts", group, registry=registry)
        self._plan_failures = Counter("optivgi_plan_failures", "Cycles without a new plan", group, registry=registry)
        self._crashes = Counter("optivgi_crashes", "Unforeseen faults", ["where"], registry=registry)
        self._outcomes = Counter(
            "optivgi_outcomes", "Charging profiles by what became of them", ["group", "status"], registry=registry
        )
        self._hops = Histogram(
            "optivgi_hop_seconds",
            "Real time of each hop of a cycle",
            ["hop"],
            buckets=HOP_BUCKETS_S,
            registry=registry,
        )
        self._evs = Gauge("optivgi_evs", "EVs in a transaction", group, registry=registry)
        self._refused = Gauge("optivgi_refused_evs", "EVs whose data make no sense", group, registry=registry)
        self._away = Gauge("optivgi_uncontrolled_evs", "EVs that take no commands now", group, registry=registry)
        self._alarms = Gauge(
            "optivgi_alarms", "What meters and stations show to be wrong now", ["group", "kind"], registry=registry
        )
        self._forms = Gauge(
            "optivgi_station_form_info",
            "Form in which a kind of station takes profiles",
            ["kind", "form"],
            registry=registry,
        )
        self._allocated = Gauge("optivgi_allocated_kw", "Sum of the allocations", group, registry=registry)
        self._requested = Gauge("optivgi_requested_kw", "What EVs would draw without a limit", group, registry=registry)
        self._limit = Gauge("optivgi_limit_kw", "Limit in force; +Inf is none", group, registry=registry)
        self._base_load = Gauge("optivgi_base_load_kw", "What the building counts with", group, registry=registry)
        self._site_meter = Gauge(
            "optivgi_site_meter_kw", "Newest believed reading of the site meter", group, registry=registry
        )
        self._meter_fresh = Gauge(
            "optivgi_site_meter_fresh",
            "1 if the site meter is believed; 0: the building counts at its maximum",
            group,
            registry=registry,
        )
        self._age = Gauge("optivgi_facts_age_seconds", "Age of the facts planned with", group, registry=registry)
        self._protected = Gauge(
            "optivgi_safe_start_connectors", "Connectors with a confirmed safe start", group, registry=registry
        )

        self._read_backs = Counter(
            "optivgi_read_backs",
            "Connectors asked for what they allow, by answer",
            ["group", "match"],
            registry=registry,
        )
        self._leads = Gauge("optivgi_leads", "1 if this optimizer leads, 0 if it waits", group, registry=registry)

    def serve(self, port: int, address: str = "0.0.0.0") -> int:  # noqa: S104 - for a scraper on another host
        """Serves /metrics in a thread until `close`; the answer is the port (of use when `port` is 0)."""
        self._server = start_http_server(port, address, registry=self.registry)
        return int(self._server[0].server_port)

    def close(self) -> None:
        """Stops serving."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
            self._server = None

    def event(self, event: Event) -> None:
        self._events.labels(event.action).inc()

    def cycle(self, record: CycleRecord) -> None:
        self._cycles.labels(record.group).inc()
        if record.unreadable:
            self._read_failures.labels(record.group).inc()
        if record.undecided:
            self._plan_failures.labels(record.group).inc()
        for hop, took_ms in record.hops_ms.items():
            self._hops.labels(hop).observe(took_ms / 1000)
        if record.snapshot is not None:
            self._evs.labels(record.group).set(len(record.snapshot.evs))
            self._age.labels(record.group).set(record.snapshot.age_s(record.at))
        self._refused.labels(record.group).set(len(record.refused))
        self._away.labels(record.group).set(len(record.out_of_control))
        for kind in AlarmKind:
            self._alarms.labels(record.group, kind.value).set(sum(alarm.kind is kind for alarm in record.alarms))
        self._forms.clear()
        for station_kind, form in record.forms.items():
            self._forms.labels(station_kind, form).set(1)
        if record.algorithm:
            self._allocated.labels(record.group).set(record.allocated_kw)
            self._requested.labels(record.group).set(record.requested_kw)
        if record.base_load is not None:
            self._base_load.labels(record.group).set(record.base_load.load.kw)
            self._meter_fresh.labels(record.group).set(record.base_load.fresh)
            if record.base_load.metered_kw is not None:
                self._site_meter.labels(record.group).set(record.base_load.metered_kw)
        if record.limit is not None:
            limit_kw = float("inf") if record.limit.limit_kw is None else record.limit.limit_kw
            self._limit.labels(record.group).set(limit_kw)

    def outcome(self, group: str, outcome: Outcome) -> None:
        self._outcomes.labels(group, outcome.status.value).inc()

    def protected(self, group: str, connectors: int) -> None:
        self._protected.labels(group).set(connectors)

    def read_back(self, group: str, finding: Finding) -> None:
        self._read_backs.labels(group, finding.match.value).inc()

    def standing(self, group: str, standing: Standing) -> None:
        self._leads.labels(group).set(standing.role is Role.LEADS)

    def crashed(self, where: str) -> None:
        self._crashes.labels(where).inc()
