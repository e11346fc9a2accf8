"""What is known of the draw of a group's EVs at this moment, for whoever meters them together with others. Pure."""

from __future__ import annotations

from optivgi.account import Account, Instant
from optivgi.ledger import Ledger
from optivgi.model.snapshot import Snapshot
from optivgi.oversight import Oversight
from optivgi.site_meter.ev_draw import EVDraw


def ev_draws(ledger: Ledger, oversight: Oversight, snapshot: Snapshot, when: Instant) -> tuple[EVDraw, ...]:
    """One EVDraw for every transaction that is known of."""
    evs = {(ev.station_id, ev.connector_id): ev for ev in snapshot.evs}
    draws = []
    for key, account in ledger.accounts.items():
        ev = evs.get(key)
        lately = oversight.allowed_lately(key, when.now)
        changing_kw = _changing_kw(ledger, account, when)
        draws.append(
            EVDraw(
                key=key,
                transaction_id=account.transaction_id,
                most_kw=ledger.worst_kw(key, when),
                least_kw=lately.least_kw if changing_kw is None else min(lately.least_kw, changing_kw),
                steady_since=lately.steady_since if changing_kw is None else None,
                measured_kw=None if ev is None else ev.measured_kw,
                measured_at=None if ev is None else ev.measured_at,
                volts=account.volts,
                phases=account.phases,
            )
        )
    return tuple(draws)


def _changing_kw(ledger: Ledger, account: Account, when: Instant) -> float | None:
    """The least that a profile under way allows, if that is not what is allowed already."""
    allowed_kw = ledger.installed_kw(account.key, when)
    coming = [one.command.limit_kw for one in account.in_flight]
    return min((kw for kw in coming if kw != allowed_kw), default=None)
