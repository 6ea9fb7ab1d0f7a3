"""Change texts as people do: several messages joined, words spelled to avoid a filter."""

import re
from collections.abc import Sequence
from random import Random

from moderator.events import Turn
from moderator.training.data.rows import CATEGORIES, SAFETY, Row

_LOOKALIKES = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7", "b": "8", "l": "1"}
_JOINED_SHARE = 0.2
_OBFUSCATED_SHARE = 0.10
_IN_CONTEXT_SHARE = 0.15
_JOINTS = (" ", " ", "\n", ". ", "\n\n")


def augment(row: Row, harmless: Sequence[Row], random: Random) -> Row:
    """Return `row` unchanged, joined with others, obfuscated, or late in a conversation; it keeps the judged text."""
    is_message = len(row.conversation) == 1
    chance = random.random()
    if is_message and chance < _JOINED_SHARE:
        row = join_messages([row, *random.choices(harmless, k=random.randint(1, 5))], random)
    elif chance > 1 - _OBFUSCATED_SHARE:
        *before, judged = row.conversation
        row = _with_turns(row, [*before, Turn(judged.role, obfuscate(judged.content, random))])
    if is_message and random.random() < _IN_CONTEXT_SHARE:
        row = _with_turns(row, [*_context(random.choices(harmless, k=random.randint(1, 2))), *row.conversation])
    return row


def _context(rows: Sequence[Row]) -> list[Turn]:
    """Make earlier turns of harmless messages; the last one is the assistant's."""
    texts = [row.conversation[-1].content for row in rows]
    return [Turn("assistant" if (len(texts) - at) % 2 else "user", text) for at, text in enumerate(texts)]


def _with_turns(row: Row, turns: Sequence[Turn]) -> Row:
    return Row(tuple(turns), row.labels, row.source, row.licence, row.weight)


def join_messages(rows: Sequence[Row], random: Random) -> Row:
    """Join single messages: as safe as the least safe, in each category as harmful as the most harmful."""
    parts = random.sample(list(rows), k=len(rows))
    text = parts[0].conversation[-1].content
    for part in parts[1:]:
        text += random.choice(_JOINTS) + part.conversation[-1].content
    labels = {SAFETY: min(part.labels[SAFETY] for part in parts)}
    for category in CATEGORIES:
        # harmless parts often have no label for a category; only labels that the first row has are kept
        if category in rows[0].labels:
            labels[category] = max(part.labels.get(category, 0.0) for part in parts)
    return Row((Turn("user", text),), labels, rows[0].source, rows[0].licence, rows[0].weight)


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


def _coin(random: Random) -> bool:
    return random.choice((True, False))
