import pytest

from moderator.counted import counted


@pytest.mark.parametrize(
    ("number", "written"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1_000, "1,000 entries")]
)
def test_a_number_has_its_noun(number: int, written: str) -> None:
    assert counted(number, "entry", "entries") == written


def test_most_nouns_take_an_s() -> None:
    assert (counted(1, "event"), counted(3, "event")) == ("1 event", "3 events")
