"""The settings of the site meter: where it is, what it says, and what counts while it is silent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_settings import NoDecode

from optivgi.limits.base_load import FeedIn, Measures
from optivgi.limits.registers import MARKS, QUANTITIES, lacking
from optivgi.setting_fields import MOST_KW, Kilowatts, assignments, number_field, text_field, url

METER_SCHEMES = {"mqtt": ("mqtt", "mqtts"), "http": ("http", "https"), "modbus": ("modbus",)}
METER_EXAMPLES = {
    "mqtt": "mqtt://user:password@broker:1883/site/meter",
    "http": "http://meter.local/status",
    "modbus": "modbus://meter.local:502",
}
METER_NAMES = (*QUANTITIES, *MARKS)


def _meter_fields(value: object) -> object:
    if not isinstance(value, str):
        return value
    fields = dict(assignments(value))
    for name, path in fields.items():
        if name not in METER_NAMES:
            near = get_close_matches(name, METER_NAMES, n=1)
            raise ValueError(
                f"{name!r} is no quantity; "
                + (f"did you mean {near[0]}?" if near else f"known are {', '.join(METER_NAMES)}")
            )
        if not path:
            raise ValueError(f"{name} has no place: write {name}=<names with dots between>")
    if fields and (missing := lacking(fields)):
        raise ValueError(f"it has {missing}")
    return fields


class MeterSettings(BaseModel):
    """The part of the optimizer's settings that is about the site meter."""

    meter_source: Literal["none", "mqtt", "http", "modbus", "ocpp"] = text_field(
        "none", "none, mqtt, http, modbus or ocpp"
    )
    meter_url: Annotated[str, url("mqtt", "mqtts", "http", "https", "modbus")] = text_field(
        "",
        "where the site meter is: an mqtt or mqtts address with a topic, an http or https one, a modbus one, or empty",
        "mqtt://user:password@broker:1883/site/meter",
        repr=False,
    )
    meter_ca_file: Path | None = text_field(
        None, "the path of a file with the certificates to trust, or empty for the usual ones", "ca.pem"
    )
    meter_station: str = text_field(
        "", "the id of the station whose connector 0 is the site meter, or empty", "METER-01", max_length=48
    )
    meter_fields: Annotated[dict[str, str], NoDecode, BeforeValidator(_meter_fields)] = text_field(
        "",
        "where each quantity is in the meter's JSON, as in power=total.power;time=ts, or empty for a single number",
        "power_l1=a.power;power_l2=b.power;power_l3=c.power",
    )
    meter_unit: Literal["W", "kW"] = text_field("W", "W or kW")
    meter_positive: Literal["import", "export"] = text_field("import", "import or export")
    meter_measures: Measures = text_field("grid", "grid (building and EVs) or building (without the EVs)")
    meter_feed_in: FeedIn = text_field("capped", "none, capped or used")
    meter_group: str = text_field(
        "", "the station group whose grid connection is metered, or empty for the only one", "north"
    )
    meter_margin_kw: float = number_field(0.5, "a number of kW from 0 to 1000", ge=0, le=1000)
    meter_poll_s: float = number_field(1.0, "a number of seconds from 0.1 to 60", ge=0.1, le=60)
    meter_fresh_s: float = number_field(30.0, "a number of seconds from 1 to 3600", ge=1, le=3600)
    meter_frozen_s: float = number_field(
        300.0, "a number of seconds from 10 to 86400, or 0 if the same value for ever is fine", ge=0, le=86_400
    )
    meter_lag_s: float = number_field(3.0, "a number of seconds from 0 to 60", ge=0, le=60)
    meter_release_s: float = number_field(60.0, "a number of seconds from 0 to 3600", ge=0, le=3600)
    base_load_max_kw: Annotated[Kilowatts | None, Field()] = text_field(
        None, f"a number of kW from 0 to {MOST_KW:g}; a site meter needs it", "20"
    )
    base_load_max_a: Annotated[float | None, Field(ge=0, le=100_000, allow_inf_nan=False)] = text_field(
        None, "a number of amperes on each phase from 0 to 100000, or empty for all of BASE_LOAD_MAX_KW on each", "32"
    )

    def meter_contradictions(self, groups: Sequence[str], translation: str) -> Iterator[tuple[frozenset[str], str]]:
        """What is wrong with these together or with the station groups and TRANSLATION: fields involved, and problem."""
        source = self.meter_source
        if source == "none":
            return
        if self.base_load_max_kw is None:
            yield (
                frozenset({"base_load_max_kw", "meter_source"}),
                f"BASE_LOAD_MAX_KW is empty, but METER_SOURCE={source} needs it: the most that the building ever draws "
                "counts whenever its meter is silent, e.g. BASE_LOAD_MAX_KW=20",
            )
        if source == "ocpp":
            if not self.meter_station or translation != "citrineos":
                yield (
                    frozenset({"meter_station", "meter_source", "translation"}),
                    f"METER_STATION is {self.meter_station!r} and TRANSLATION={translation}, but METER_SOURCE=ocpp "
                    "needs a station's id and citrineos: set e.g. METER_STATION=METER-01",
                )
        elif urlsplit(self.meter_url).scheme not in METER_SCHEMES[source]:
            wanted = " or ".join(f"{scheme}://" for scheme in METER_SCHEMES[source])
            yield (
                frozenset({"meter_url", "meter_source"}),
                f"METER_URL has no {wanted}, but METER_SOURCE={source} needs that: e.g. METER_URL={METER_EXAMPLES[source]}",
            )
        elif source == "mqtt" and not urlsplit(self.meter_url).path.strip("/"):
            yield (
                frozenset({"meter_url", "meter_source"}),
                f"METER_URL has no topic after the broker's address: e.g. METER_URL={METER_EXAMPLES[source]}",
            )
        if (self.meter_group or len(groups) > 1) and self.meter_group not in groups:
            yield (
                frozenset({"meter_group", "station_groups"}),
                f"METER_GROUP is {self.meter_group!r}, which is no station group; it must be one of {', '.join(groups)}",
            )
