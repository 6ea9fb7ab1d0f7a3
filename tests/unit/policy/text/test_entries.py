from typing import TYPE_CHECKING

import pytest

from moderator.policy.text.entries import digest_of, entry_error, entry_warnings, normal_form

if TYPE_CHECKING:
    from moderator.policy.language.text_source import TextComparison, TextKind

EVERYWHERE = "99a513d77238202a7fc3592e3ed7171aa238e934bdac411bb29d91031868bac1"


def test_entries_beyond_ascii_have_one_digest_on_every_python() -> None:
    """Characters that every supported Python knows are normalised alike by all; the workflows run this on each."""
    entries = ["Straße", "мат", "ｓｃａｍ", "e\u0301cole", "İstanbul", "垃圾", "ﬁne", "각하", "\U0001d4e2cam"]
    entries += ["ΟΔΟΣ", "ไทย", "ﷺ"]

    assert digest_of(normal_form(entry, "words", "folded") for entry in entries) == EVERYWHERE


def test_an_entry_that_is_nothing_after_normalising_is_refused_unless_it_is_compared_as_sent() -> None:
    assert entry_error("\u200b", "words", "folded") == ("nothing of the entry can be seen", "remove the line")
    assert entry_error("\u200b", "words", "exact") is None


@pytest.mark.parametrize("compare", ["folded", "exact"])
@pytest.mark.parametrize("entry", ["\0", "a\0b"])
def test_an_entry_with_the_character_that_marks_the_edges_of_words_is_refused(
    entry: str, compare: "TextComparison"
) -> None:
    assert entry_error(entry, "words", compare) == ("the entry has a character NUL, which cannot be seen", "remove it")


def test_an_entry_has_a_longest_length() -> None:
    kinds: tuple[tuple[TextKind, int], ...] = (("words", 200), ("links", 200), ("patterns", 500))
    for kind, most in kinds:
        objection = entry_error("a" * (most + 1), kind, "folded")

        assert objection is not None
        assert objection[0] == f"the entry has {most + 1} characters, and {most} are allowed"
        assert entry_error("a" * most, kind, "folded") is None


def test_a_top_level_domain_by_itself_is_warned_of_as_it_finds_every_host_below_it() -> None:
    assert [message for message, _ in entry_warnings("COM", "links", "folded")] == [
        "every host that ends in .com is found"
    ]
    for entry in ("evil.com", "localhost", "127.0.0.1", "[::1]"):
        assert list(entry_warnings(entry, "links", "folded")) == []
