import random
import unicodedata
from collections.abc import Iterator

import pytest

from moderator.policy.text.readings import Reading
from moderator.policy.text.words import WordList, Words
from tests.unit.policy.text_sources import number

SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


@pytest.mark.parametrize(
    ("text", "entry", "options", "expected"),
    [
        # Acceptance cases 7 to 12 of the language's second part, by number.
        *((text, "scam", {}, 1) for text in ("SCAM!", "s\u200bcam", "ｓｃａｍ", "sc\u0430m", "SCA\u041c")),  # 7
        *((text, "scam", {}, 1) for text in ("s\u0336c\u0336a\u0336m\u0336", "\U0001d4e2cam")),  # 7
        *((text, "scam", {}, 0) for text in ("scampi", "unscam", "sc4m", "s c a m")),  # 8
        *((text, "scam", {"match": "part"}, 1) for text in ("scampi", "unscam")),  # 8
        *((text, "scam", {"match": "part"}, 0) for text in ("sc4m", "s c a m")),  # 8
        ("free   donation", "free donation", {}, 1),  # 8
        ("free\ndonation", "free donation", {}, 1),  # 8
        ("free-donation", "free donation", {}, 0),  # 8
        ("МАТ", "мат", {}, 1),  # 9
        ("мата", "мат", {}, 0),  # 9
        ("com", "corn", {}, 0),  # 9
        ("schön", "schon", {}, 1),  # 9
        ("schön", "schon", {"compare": "exact"}, 0),  # 9
        ("这是垃圾信息", "垃圾", {}, 1),  # 10
        ("x a_b y", "a_b", {}, 1),  # 10
        ("x_scam_y", "scam", {}, 1),  # 10
        ("win a #ad now", "#ad", {}, 1),  # 11
        ("akia AKIA", "AKIA", {"compare": "exact"}, 1),  # 12
        ("akia", "AKIA", {"compare": "exact"}, 0),  # 12
        (" Hello \n World ", "hello world", {"match": "whole"}, 1),
        ("hello world!", "hello world", {"match": "whole"}, 0),
        ("hello", "hello", {"match": "whole", "compare": "exact"}, 1),
        ("Hello", "hello", {"match": "whole", "compare": "exact"}, 0),
        ("각", "가", {"match": "part"}, 0),
    ],
)
def test_an_entry_occurs_where_the_contract_says(text: str, entry: str, options: dict[str, str], expected: int) -> None:
    assert number(text, "words", entry, **options) == expected


def test_overlapping_entries_all_count() -> None:
    assert number("free donation now", "words", "free donation", "donation", "donation now", "free") == 4


def test_an_entry_counts_once_however_often_it_occurs() -> None:
    assert number("scam scam SCAM", "words", "scam") == 1


def test_an_entry_is_found_across_the_ends_of_what_is_searched_at_once() -> None:
    for padding in range(65_525, 65_540):
        assert number(" " * 10 + "x" * padding + " free donation", "words", "free donation", compare="exact") == 1


def test_an_entry_at_the_end_of_a_mebibyte_is_found() -> None:
    assert number("spam " * (1 << 18) + "free donation", "words", "free donation") == 1


def test_a_slow_reference_finds_the_same_entries() -> None:
    rng = random.Random(20_261_130)
    for _ in range(400):
        entries = list(dict.fromkeys(_some_text(rng, 1, 4).strip() for _ in range(rng.randint(1, 6))))
        entries = [entry for entry in entries if Reading(entry).plain.strip()]
        text = _some_text(rng, 0, 25)
        for match in ("word", "part", "whole"):
            words = Words([WordList(entries, match, "folded")])

            assert words.find(Reading(text)) == [set(_slowly(text, entries, match))], (text, entries, match)


def _slowly(text: str, entries: list[str], match: str) -> Iterator[int]:
    for place, entry in enumerate(entries):
        forms = [(Reading(each).plain, Reading(each).folded) for each in (text, entry)]
        for where, what in zip(*forms, strict=True):
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
