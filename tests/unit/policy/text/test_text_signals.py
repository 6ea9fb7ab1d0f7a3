import math
import random

import pytest

from moderator.policy.text import text_signals
from moderator.policy.text.text_signals import MOST_LINES, TextSignals, identity_of
from tests.unit.policy.text_sources import findings, number, source

SOME_OF_EVERYTHING = {
    "scam": source("words", "free donation", "scam", "мат", "垃圾"),
    "parts": source("words", "a", "aa", "ba", match="part"),
    "keys": source("words", "AKIA", compare="exact"),
    "patterns": source("patterns", "(a*)*b", r"\p{L}{3}", counts_places=True),
    "domains": source("links", "evil.com"),
    "links": source("links"),
    "capitals": source("capitals"),
    "length": source("length"),
}


@pytest.mark.parametrize(
    ("title", "expected"), [("HELLO World 123", 0.6), ("123", 0), ("ÀÉ", 1), (None, None), ("", None), (3, None)]
)
def test_capitals_of_a_title(title: object, expected: float | None) -> None:
    signals = TextSignals({"it": source("capitals", of="metadata.title")})
    metadata = {} if title is None else {"title": title}

    assert signals.read("ALL CAPITALS", None, metadata).numbers == {"it": expected}


@pytest.mark.parametrize(("title", "expected"), [("a\u200bb", 2), ("👩\u200d👩\u200d👧", 3), ("a  b", 3), ("", None)])
def test_length_of_a_title(title: str, expected: float | None) -> None:
    signals = TextSignals({"it": source("length", of="metadata.title")})

    assert signals.read("hello", None, {"title": title}).numbers == {"it": expected}


def test_a_text_after_a_mebibyte_of_padding_is_found() -> None:
    text = "padding " * (1 << 17) + "Free  donation at evil.com/x"
    signals = TextSignals(SOME_OF_EVERYTHING)

    numbers = signals.read(text, None, None).numbers

    assert (numbers["scam"], numbers["domains"], numbers["links"]) == (1, 1, 1)


def test_a_signal_may_be_of_the_user() -> None:
    signals = TextSignals({"it": source("words", "admin", match="part", of="user")})

    assert signals.read("admin", "xx_Admin_xx", None).numbers == {"it": 1}
    assert signals.read("admin", None, None).numbers == {"it": None}


def test_found_lines_are_named_and_never_more_than_twenty() -> None:
    entries = [f"w{place}" for place in range(30)]

    numbers, found = findings(" ".join(reversed(entries)), source("words", *entries))

    assert numbers == {"it": 30}
    assert found == [{"signal": "it", "list": "lists/some.txt", "lines": list(range(1, MOST_LINES + 1))}]


def test_nothing_is_named_where_nothing_is_found() -> None:
    assert findings("hello", source("words", "scam")).found == []


def test_an_identity_follows_definition_and_entries_and_not_their_order() -> None:
    known = identity_of(source("words", "b", "a"))

    assert known == identity_of(source("words", "a", "b"))
    assert len({known, identity_of(source("words", "a")), identity_of(source("words", "b", "a", match="part"))}) == 3
    assert len(known) == 12


def test_every_number_is_finite_and_not_negative_whatever_the_text() -> None:
    rng = random.Random(9)
    signals = TextSignals(SOME_OF_EVERYTHING)
    for _ in range(400):
        text = "".join(_any_character(rng) for _ in range(rng.randint(0, 30)))

        for value in signals.read(text, text, {"x": text}).numbers.values():
            assert value is not None
            assert math.isfinite(value)
            assert value >= 0


def test_capitals_beyond_ascii_are_those_of_letters_that_have_case() -> None:
    assert number("ПРИВЕТ мир", "capitals") == 6 / 9
    assert number("Ⅷ 日本 Ａ", "capitals") == 1


def _any_character(rng: random.Random) -> str:
    code = rng.choice((rng.randint(0, 0x2FF), rng.randint(0, 0xD7FF), rng.randint(0xE000, 0x10FFFF)))
    return chr(code)


@pytest.mark.parametrize(("what", "now"), [("READING", "text/0"), ("fingerprint", lambda: "others")])
def test_numbers_that_were_read_otherwise_are_of_another_definition(
    monkeypatch: pytest.MonkeyPatch, what: str, now: object
) -> None:
    known = identity_of(source("words", "a"))

    monkeypatch.setattr(text_signals, what, now)

    assert identity_of(source("words", "a")) != known
