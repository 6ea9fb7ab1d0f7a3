"""The project's own phrases: everyday chat, harm, useful and useless replies, in some twenty languages."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Final

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.training.data.rows import CATEGORIES, HELPFULNESS, SAFETY, Row

OWN_PHRASES: Final = Path(__file__).with_name("phrases.txt")

_HARMLESS: Final = dict.fromkeys(CATEGORIES, 0.02)
_KINDS: Final[Mapping[str, Mapping[str, float]]] = {
    "safe": {SAFETY: 0.97, **_HARMLESS},
    "insult": {SAFETY: 0.05, "x_harassment": 0.95},
    "threat": {SAFETY: 0.04, "x_violence": 0.95},
    "hate": {SAFETY: 0.04, "x_hate": 0.95},
    "selfharm": {SAFETY: 0.08, "x_selfharm": 0.95},
    "sexual": {SAFETY: 0.1, "x_sexual": 0.95},
    "violence": {SAFETY: 0.12, "x_violence": 0.95},
    "illicit": {SAFETY: 0.08, "x_illicit": 0.95},
    "refusal": {SAFETY: 0.93},
    "complied": {SAFETY: 0.04},
    "rude": {SAFETY: 0.08, HELPFULNESS: 0.05, "x_harassment": 0.9},
    "good": {SAFETY: 0.97, HELPFULNESS: 0.9},
    "useless": {SAFETY: 0.95, HELPFULNESS: 0.05},
}
_LINE: Final = re.compile(r"(?P<kind>[a-z]+): (?P<text>.+)")
_CHOICE: Final = re.compile(r"\{([^{}]*)\}")
_ANSWERED: Final = " => "
_DRAWS_PER_LINE: Final = 24
_WEIGHT: Final = 3.0


def read_phrases(path: Path = OWN_PHRASES) -> Iterator[Row]:
    """Read `kind: text` and `kind: prompt => answer` lines; yield up to 24 different wordings of each.

    Raises:
        ConfigurationError: a line has another form or kind; the text names file and line.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        parts = _LINE.fullmatch(line)
        if parts is None or parts["kind"] not in _KINDS:
            raise ConfigurationError(f"{path}:{number}: expected `kind: text` with a kind of {', '.join(_KINDS)}")
        for wording in _wordings(parts["text"]):
            yield Row(
                _conversation(wording), _KINDS[parts["kind"]], f"own-phrases/{parts['kind']}", "Apache-2.0", _WEIGHT
            )


def _wordings(text: str) -> list[str]:
    """Draw wordings of one line, always the same ones."""
    random = Random(text)
    drawn = (_CHOICE.sub(lambda found: random.choice(found[1].split("|")), text) for _ in range(_DRAWS_PER_LINE))
    return list(dict.fromkeys(drawn))


def _conversation(wording: str) -> tuple[Turn, ...]:
    prompt, is_answered, answer = wording.partition(_ANSWERED)
    turns = (Turn("user", prompt.strip()), Turn("assistant", answer.strip()))
    return turns if is_answered else turns[:1]
