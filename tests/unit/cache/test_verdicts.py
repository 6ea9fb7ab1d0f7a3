"""Keys that cannot be confused."""

import orjson
import pytest

from moderator.cache import verdict_key
from moderator.cache.verdicts import verdict_value
from tests.builders import an_encoded_decision


def test_a_plain_tenant_and_id_stand_as_they_are() -> None:
    assert verdict_key("acme", "evt-1") == "moderator:verdict:acme:evt-1"


def test_no_tenant_leaves_its_place_empty() -> None:
    assert verdict_key(None, "evt-1") == "moderator:verdict::evt-1"


@pytest.mark.parametrize(("one", "other"), [(("a:b", "c"), ("a", "b:c")), (("a%3Ab", "c"), ("a:b", "c"))])
def test_colons_in_names_never_make_two_events_one(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert verdict_key(*one) != verdict_key(*other)


def test_odd_characters_are_percent_encoded() -> None:
    assert verdict_key("ä", "a/b\n\x00\ud800") == "moderator:verdict:%C3%A4:a%2Fb%0A%00%3F"


def test_what_is_to_be_done_is_there_where_there_is_something() -> None:
    notice = {"to": "user", "key": "young-account", "text": None, "locale": None}

    held = an_encoded_decision(action="hold", queues=["newcomers"], notify=[notice])

    said, nothing = (orjson.loads(verdict_value(each)) for each in (held, an_encoded_decision()))
    assert (said["action"], said["queues"], said["notify"]) == ("hold", ["newcomers"], [notice])
    assert nothing.keys() & {"action", "queues", "notify"} == set()
