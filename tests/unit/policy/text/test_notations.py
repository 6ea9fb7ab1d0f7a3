import pytest

from moderator.policy.text.entries import entry_error, entry_meant, entry_warnings


@pytest.mark.parametrize(
    ("written", "entry"),
    [
        (r"f\*ck", "f*ck"),
        (r"a\$\$hole", "a$$hole"),
        (r"wtf\?", "wtf?"),
        (r"hey\, you", "hey, you"),
        (r"\/pol\/", "/pol/"),
        (r"\"jerk\"", '"jerk"'),
        (r"\“jerk”", "“jerk”"),
        (r"1\. loser", "1. loser"),
        (r"\- loser", "- loser"),
        (r"clown \# bad", "clown # bad"),
        (r"array\[0]", "array[0]"),
        (r"\<!-- x", "<!-- x"),
    ],
)
def test_a_sign_behind_a_backslash_is_meant_in_a_word_and_not_warned_of(written: str, entry: str) -> None:
    assert list(entry_warnings(written, "words", "folded")) == []
    assert entry_meant(written, "words") == entry
    assert next(entry_warnings(entry, "words", "folded"), None) is not None


@pytest.mark.parametrize(
    "entry", ["c++", r"¯\_(ツ)_/¯", r"\o/", "1,000 dollars", "win #1", ";)", ":|", "and/or", "it's", "||x||", r"C:\win"]
)
def test_a_word_with_signs_of_its_own_is_itself_and_not_warned_of(entry: str) -> None:
    assert list(entry_warnings(entry, "words", "folded")) == []
    assert entry_meant(entry, "words") == entry


@pytest.mark.parametrize("entry", [r"\/pol\/", r"\"jerk\"", r"\- loser", r"idiot\, moron", r"clown \# bad", "[“]jerk”"])
def test_a_sign_that_is_meant_in_a_pattern_is_a_pattern_and_not_warned_of(entry: str) -> None:
    assert entry_error(entry, "patterns", "folded") is None
    assert list(entry_warnings(entry, "patterns", "folded")) == []
    assert entry_meant(entry, "patterns") == entry


@pytest.mark.parametrize(
    "entry", ["a{1,3}b", "https?://x", "hey, (you|there)", "free|money", r"\bidiot\b", "a/b", "x;y z"]
)
def test_a_pattern_is_not_taken_for_another_notation(entry: str) -> None:
    assert list(entry_warnings(entry, "patterns", "folded")) == []


def test_the_flags_behind_a_slashed_pattern_are_written_in_front_where_they_say_something() -> None:
    def advice(entry: str, compare: str) -> str:
        return next(entry_warnings(entry, "patterns", "exact" if compare == "exact" else "folded"))[1]

    assert advice("/free money/gi", "folded").startswith("write free money,")
    assert advice("/free.money/is", "folded").startswith("write (?s)free.money,")
    assert advice("/free.money/is", "exact").startswith("write (?is)free.money,")
