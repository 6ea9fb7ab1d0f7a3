"""Change texts as people do: several messages joined, words spelled to avoid a filter, letters spaced or doubled."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from moderator.events import Turn
from moderator.training.data.rows import CATEGORIES, SAFETY, Row

_LOOKALIKES: Final = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7", "b": "8", "l": "1"}
_SEPARATORS: Final = " .-_*"
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_VOWEL: Final = re.compile(r"[aeiouAEIOU]")
_INNER_VOWEL: Final = re.compile(r"(?<=\w)[aeiouAEIOU](?=\w)")
_JOINED_SHARE: Final = 0.3
_MOST_JOINED: Final = 8
_DISTURBED_SHARE: Final = 0.3
_JOINTS: Final = (" ", " ", "\n", ". ", "\n\n")
_SPACED_CHARACTERS: Final = 120
"""Longer texts are spaced in some words only: spaced as a whole they would be too long."""


def augment(row: Row, harmless: Sequence[Row], random: Random) -> Row:
    """Return `row` unchanged, joined with other messages, or with the judged text disturbed."""
    if len(row.conversation) == 1 and random.random() < _JOINED_SHARE:
        row = join_messages([row, *random.choices(harmless, k=random.randint(1, _MOST_JOINED))], random)
    if random.random() < _DISTURBED_SHARE:
        *before, judged = row.conversation
        row = replace(row, conversation=(*before, Turn(judged.role, disturb(judged.content, random))))
    return row


def join_messages(rows: Sequence[Row], random: Random) -> Row:
    """Join single messages: as safe as the least safe, in each category as harmful as the most harmful."""
    parts = random.sample(list(rows), k=len(rows))
    text = parts[0].conversation[-1].content
    for part in parts[1:]:
        text += random.choice(_JOINTS) + part.conversation[-1].content
    # harmless parts often have no label for a category; only what the first row has is kept
    labels = _worst([row.labels for row in (rows[0], *parts)])
    logits = _worst([row.logits for row in (rows[0], *parts)]) if all(row.logits for row in parts) else {}
    return replace(rows[0], conversation=(Turn("user", text),), labels=labels, logits=logits)


def _worst(given: Sequence[Mapping[str, float]]) -> dict[str, float]:
    first = given[0]
    worst = {SAFETY: min(values[SAFETY] for values in given)} if SAFETY in first else {}
    for category in CATEGORIES:
        if category in first:
            worst[category] = max(values.get(category, first[category]) for values in given)
    return worst


def disturb(text: str, random: Random) -> str:
    """Spell a text in one of the ways by which people avoid a filter; a reader still understands it."""
    return random.choice(_DISTURBANCES)(text, random)


def obfuscate(text: str, random: Random) -> str:
    """Respell about half of the words of four or more letters: look-alikes, stars, dots, repeated letters."""
    return re.sub(r"[^\W\d_]{4,}", lambda word: _respell(word[0], random) if _coin(random) else word[0], text)


def _respell(word: str, random: Random) -> str:
    at = random.randrange(1, len(word) - 1)
    match random.randrange(5):
        case 0:
            return "".join(random.choice(_LOOKALIKES.get(c.lower(), c)) if _coin(random) else c for c in word)
        case 1:
            return word[:at] + "*" + word[at + 1 :]
        case 2:
            return random.choice(". -_").join(word)
        case 3:
            return word[:at] + word[at] * random.randint(2, 4) + word[at:]
        case _:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def space(text: str, random: Random) -> str:
    """Separate all letters, or those of about half of the words."""
    separator = random.choice(_SEPARATORS)
    if len(text) <= _SPACED_CHARACTERS and _coin(random):
        return separator.join(text)
    return _WORD.sub(lambda word: separator.join(word[0]) if _coin(random) else word[0], text)


def leetspeak(text: str, random: Random) -> str:
    """Write digits and signs for most of the letters that look like them."""
    share = random.uniform(0.5, 1.0)
    written = (random.choice(_LOOKALIKES.get(c.lower(), c)) if random.random() < share else c for c in text)
    return "".join(written)


def double(text: str, random: Random) -> str:
    """Repeat vowels, or any letters of about half of the words."""
    if _coin(random):
        return _VOWEL.sub(lambda vowel: vowel[0] * random.randint(2, 3), text)
    return _WORD.sub(lambda word: _repeat_some(word[0], random) if _coin(random) else word[0], text)


def _repeat_some(word: str, random: Random) -> str:
    return "".join(letter * random.randint(1, 2) for letter in word)


def without_vowels(text: str, random: Random) -> str:
    """Omit about half of the vowels within words."""
    return _INNER_VOWEL.sub(lambda vowel: "" if _coin(random) else vowel[0], text)


# leetspeak twice: the letters of a word come as pieces that no other text has
_DISTURBANCES: Final[Sequence[Callable[[str, Random], str]]] = (
    obfuscate,
    space,
    leetspeak,
    leetspeak,
    double,
    without_vowels,
)


def _coin(random: Random) -> bool:
    return random.choice((True, False))
