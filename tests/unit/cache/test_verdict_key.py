"""Keys that cannot be confused."""

import pytest

from moderator.cache import verdict_key


def test_a_plain_tenant_and_id_stand_as_they_are() -> None:
    assert verdict_key("acme", "evt-1") == "moderator:verdict:acme:evt-1"


def test_no_tenant_leaves_its_place_empty() -> None:
    assert verdict_key(None, "evt-1") == "moderator:verdict::evt-1"


@pytest.mark.parametrize(("one", "other"), [(("a:b", "c"), ("a", "b:c")), (("a%3Ab", "c"), ("a:b", "c"))])
def test_colons_in_names_never_make_two_events_one(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert verdict_key(*one) != verdict_key(*other)


def test_odd_characters_are_percent_encoded() -> None:
    assert verdict_key("ä", "a/b\n\x00\ud800") == "moderator:verdict:%C3%A4:a%2Fb%0A%00%3F"
