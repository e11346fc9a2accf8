"""A site of two stations as a snapshot reads it from CitrineOS's rows."""

from __future__ import annotations

from optivgi.model.ev import EV
from optivgi.model.ev_config import EVConfig, SiteView
from optivgi.model.snapshot import Snapshot
from optivgi.translation.citrineos.adapter import SNAPSHOT_QUERY
from optivgi.translation.citrineos.rows import snapshot, variables
from tests.translation.citrineos_double import CitrineOSDouble

ENERGY, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
NEED = EVConfig(energy_needed_kwh=20.0, max_kw=7.2, min_kw=1.44)
SITE = SiteView(station_ids=("ST-A", "ST-B"), default_ev=NEED, voltage_v=240.0)


def read(csms: CitrineOSDouble, site: SiteView = SITE, group: str = "default") -> Snapshot:
    """Through the real query, so that what it does not ask for is not there."""
    data = csms.execute(SNAPSHOT_QUERY, variables(site.stations(group)))["data"]
    return snapshot(data, site, group, csms.clock.now())


def the_ev(csms: CitrineOSDouble, site: SiteView = SITE) -> EV:
    found = read(csms, site)
    assert found.refused == ()
    (ev,) = found.evs
    return ev


def the_refusal(csms: CitrineOSDouble, site: SiteView = SITE) -> str:
    found = read(csms, site)
    assert found.evs == ()
    (refused,) = found.refused
    return refused.reason
