"""Filters are the address; all of them must fit."""

import pytest

from moderator.console.recent.filters import Filters, MalformedFilterError, listing
from moderator.console.recent.store import RawDeadLetter, Recent
from tests.unit.console.decisions import a_decision, encoded


@pytest.fixture(scope="module")
def recent() -> Recent:
    held = Recent(100, 2**20)
    held.add_decisions(
        encoded(*(a_decision(number, flag=number % 3 == 0, event={"tenant": f"t{number % 2}"}) for number in range(12)))
    )
    held.add_dead_letters([RawDeadLetter([("dlq.reason", b"no_text"), ("dlq.topic", b"chat.events")], 5)])
    return held


def _ids(recent: Recent, query: dict[str, str]) -> list[str]:
    page = listing(Filters.parse(query), recent.decisions, recent.dead_letters).page(50)
    return [getattr(each, "event_id", "dead letter") for each in page.items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"verdict": "flag"}, ["evt-9", "evt-6", "evt-3", "evt-0"]),
        ({"verdict": "flag", "tenant": "t1"}, ["evt-9", "evt-3"]),
        ({"rule": "safety/unsafe", "tenant": "t0"}, ["evt-6", "evt-0"]),
        ({"reason": "unsafe_content", "severity": "high", "to": "2026-11-30T11:59:04Z"}, ["evt-3", "evt-0"]),
        ({"from": "2026-11-30 11:59:10", "status": "scored"}, ["evt-11", "evt-10"]),
        ({"id": "evt-4"}, ["evt-4"]),
        ({"id": f"mod_{4:032x}"}, ["evt-4"]),
        ({"user": "nobody"}, []),
        ({"verdict": "no such verdict"}, []),
        ({"verdict": "dead_letter"}, ["dead letter"]),
        ({"verdict": "dead_letter", "reason": "bad_json"}, []),
        ({"unknown": "x", "channel": ""}, [f"evt-{number}" for number in range(11, -1, -1)]),
    ],
)
def test_all_filters_combine(recent: Recent, query: dict[str, str], expected: list[str]) -> None:
    assert _ids(recent, query) == expected


@pytest.mark.parametrize("query", [{"from": "yesterday"}, {"to": "2026-13-01"}, {"before": "x"}, {"before": "1.y"}])
def test_a_malformed_time_or_place_is_an_error(query: dict[str, str]) -> None:
    with pytest.raises(MalformedFilterError, match=next(iter(query))):
        Filters.parse(query)


def test_pages_follow_one_another_without_a_gap(recent: Recent) -> None:
    first = listing(Filters.parse({}), recent.decisions, []).page(5)
    second = listing(Filters.parse({"before": first.next or ""}), recent.decisions, []).page(5)
    third = listing(Filters.parse({"before": second.next or ""}), recent.decisions, []).page(5)

    pages = [first.items, second.items, third.items]
    assert [each for page in pages for each in page] == list(reversed(recent.decisions))
    assert third.next is None


def test_a_facet_counts_what_choosing_its_value_would_list(recent: Recent) -> None:
    facets = {
        facet.name: dict(facet.values) for facet in listing(Filters(), recent.decisions, recent.dead_letters).facets()
    }

    assert facets["verdict"] == {"allow": 8, "flag": 4, "dead_letter": 1}
    assert facets["rule"] == {"safety/unsafe": 4}
    assert facets["tenant"] == {"t0": 6, "t1": 6}
    assert all(len(_ids(recent, {name: value})) == count for name in facets for value, count in facets[name].items())
