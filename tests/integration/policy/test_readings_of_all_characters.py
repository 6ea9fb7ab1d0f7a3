"""Readings of a fifth of all assigned characters, alone and in long texts."""

import random
import unicodedata

from moderator.ignorable import IGNORABLE
from moderator.policy.text.readings import Reading
from moderator.scoring.rendering.visible import visible

ASSIGNED = [chr(code) for code in range(0x80, 0x20000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
SEED = 7


def test_assigned_characters_read_the_same_when_read_again() -> None:
    for start in range(0, len(ASSIGNED), 200):
        batch = ASSIGNED[start : start + 40]
        text = "x".join(base + each for each in batch for base in "aб")
        reading = Reading(text)

        assert Reading(reading.plain).plain == reading.plain
        assert Reading(reading.folded).folded == reading.folded


def test_what_the_models_reading_removes_or_takes_for_a_blank_hides_no_word() -> None:
    codes = (code for code in (*range(0x20000), *range(0xE0000, 0xE1000)) if code not in range(0xD800, 0xE000))
    # What the model's reading does to marks, the folded reading does in its own way.
    texts = [
        f"x{chr(code)}x" for code in codes if code in IGNORABLE or unicodedata.category(chr(code)) not in ("Mn", "Me")
    ]
    hidden = [(each, seen) for each in texts if (seen := visible(each).text) in ("xx", "x x") and each != seen]

    assert len(hidden) > 4_000
    assert [ascii(each) for each, seen in hidden if seen not in {way.plain for way in Reading(each).ways}] == []


def test_a_text_of_many_pieces_reads_as_its_pieces_do() -> None:
    rng = random.Random(SEED)
    pieces = ["".join(rng.choices(ASSIGNED, k=2)) + "aE"[place % 2] for place in range(1_500)]

    whole = Reading("".join(pieces))

    # Each piece starts with a character that may join the one before it, so the ASCII letter goes with the next.
    apart = [Reading(before[-1] + piece[:-1]) for before, piece in zip((" ", *pieces), pieces, strict=False)]
    last = Reading(pieces[-1][-1])
    assert whole.plain_lines == "".join(each.plain_lines for each in (*apart, last)).removeprefix(" ")
    assert whole.folded_lines == "".join(each.folded_lines for each in (*apart, last)).removeprefix(" ")
