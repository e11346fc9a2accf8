"""What stations do with limits: their own evidence goes before that of their kind, and what is worth it is kept."""

from __future__ import annotations

import json

from optivgi.profile_form import FormBook
from optivgi.station_model import Model
from optivgi.traits import Traits

ACME = Model.of("ST-1", "Acme", "One", "2.4")


def test_a_kind_that_rejects_0_is_not_asked_for_it() -> None:
    traits = Traits()
    assert traits.takes_zero("ST-1", ACME)
    traits.rejects_zero("ST-1", ACME)
    assert not traits.takes_zero("ST-1", ACME)
    assert not traits.takes_zero("ST-2", ACME)
    assert traits.takes_zero("ST-3", Model.of("ST-3", "Other", "One", "2.4"))


def test_a_station_that_takes_0_clears_its_kind_and_the_one_that_does_not_stays_known() -> None:
    traits = Traits()
    traits.took_zero("ST-2", ACME)
    traits.rejects_zero("ST-1", ACME)
    assert traits.takes_zero("ST-2", ACME)
    traits.took_zero("ST-2", ACME)
    assert traits.takes_zero("ST-3", ACME)
    assert not traits.takes_zero("ST-1", ACME)


def test_a_station_that_ignores_0_says_nothing_of_its_kind() -> None:
    traits = Traits()
    traits.ignores_zero("ST-1")
    assert not traits.takes_zero("ST-1", ACME)
    assert traits.takes_zero("ST-2", ACME)


def test_the_highest_spike_counts() -> None:
    traits = Traits()
    for kw in (5.0, 7.2, 6.0):
        traits.spiked("ST-1", kw)
    assert traits.spikes_kw == {"ST-1": 7.2}
    assert traits.version == 2


def test_what_is_known_is_kept_with_the_forms_and_an_older_file_is_read() -> None:
    book = FormBook()
    book.traits.rejects_zero("ST-1", ACME)
    book.traits.spiked("ST-2", 7.2)
    again = FormBook.from_json(book.to_json())
    assert not again.traits.takes_zero("ST-9", ACME)
    assert again.traits.spikes_kw == {"ST-2": 7.2}
    assert book.version == 2
    assert FormBook.from_json(json.dumps({"forms": []})) == FormBook()
