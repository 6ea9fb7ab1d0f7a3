"""Random texts and lists of words against a slow, obvious search."""

import random
import unicodedata
from collections.abc import Iterator

from moderator.policy.text.readings import Reading
from moderator.policy.text.words import WordList, Words

SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def test_a_slow_reference_finds_the_same_entries() -> None:
    rng = random.Random(20_261_130)
    for _ in range(400):
        entries = list(dict.fromkeys(_some_text(rng, 1, 4).strip() for _ in range(rng.randint(1, 6))))
        entries = [entry for entry in entries if Reading(entry).plain.strip()]
        text = "".join(rng.choice(("", "", "", "\0")) + each for each in _some_text(rng, 0, 25))
        forms, *wanted = ((Reading(each).plain, Reading(each).folded) for each in (text, *entries))
        for match in ("word", "part", "whole"):
            words = Words([WordList(entries, match, "folded")])

            assert words.find(Reading(text)) == [set(_slowly(forms, wanted, match))], (text, entries, match)


def _slowly(forms: tuple[str, str], entries: list[tuple[str, str]], match: str) -> Iterator[int]:
    for place, entry in enumerate(entries):
        for where, what in zip(forms, entry, strict=True):
            wanted = what.strip()
            starts = [at for at in range(len(where)) if where.startswith(wanted, at)]
            if match == "whole" and where.strip() == wanted:
                yield place
            if match == "part" and starts:
                yield place
            if match == "word" and any(_at_edges(where, at, at + len(wanted)) for at in starts):
                yield place


def _at_edges(text: str, start: int, end: int) -> bool:
    return not (start and _goes_on(text[start - 1], text[start])) and not (
        end < len(text) and _goes_on(text[end - 1], text[end])
    )


def _goes_on(left: str, right: str) -> bool:
    return all(
        unicodedata.category(each)[0] in "LMN" and not unicodedata.name(each, "").startswith(SPACELESS)
        for each in (left, right)
    )


def _some_text(rng: random.Random, least: int, most: int) -> str:
    few = "aAbс \u0301\u200b垃гİß_-9\n"
    return "".join(
        rng.choice(few)
        if rng.random() < 0.9
        else chr(rng.choice((rng.randint(0x21, 0xD7FF), rng.randint(0xE000, 0x10FFFF))))
        for _ in range(rng.randint(least, most))
    )
