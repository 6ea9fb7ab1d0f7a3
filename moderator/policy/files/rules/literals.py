"""Values of `applies_to` and `except` that are compared letter by letter and read like something else."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final

from moderator.policy.files.context import Context
from moderator.policy.language.fields import METADATA
from moderator.policy.syntax.diagnostics import Diagnostics, in_quotes, quote
from moderator.policy.syntax.yaml_tree import Node
from moderator.policy.text.look_alikes import folded_to_ascii

_COMPARISON: Final = tuple("<>=!~")
_NEGATED: Final = re.compile(r"(?:not |!=?|<>|~=|=!) *(\S.*)", re.IGNORECASE | re.DOTALL)
_SAME: Final = re.compile(r"={1,3} *([^~=<>\s].*)", re.DOTALL)
_SEVERAL: Final = re.compile(r" *[,|] *| or ")
_TAG: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
)
_BEGINNING: Final = re.compile(r"[a-z]{0,3}|[a-z]{2,3}-[a-z0-9-]*")
_LANGUAGES: Final = {
    "arabic": "ar",
    "bengali": "bn",
    "chinese": "zh",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "deutsch": "de",
    "greek": "el",
    "hebrew": "he",
    "hindi": "hi",
    "hungarian": "hu",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "norwegian": "no",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "thai": "th",
    "turkish": "tr",
    "ukrainian": "uk",
    "vietnamese": "vi",
}
_WORD: Final = re.compile(r"[^\W\d_]+")
_ALPHABETS: Final = frozenset(
    ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "GEORGIAN", "HEBREW", "ARABIC", "COPTIC", "FULLWIDTH")
)
_LETTERS_OF_VALUE, _LETTERS_OF_WORD = 5, 4


def check_literal(field: str, text: str, node: Node, diagnostics: Diagnostics, opposite: str) -> None:
    """Warn of one value that reads like a comparison, a list or a pattern, or looks like another one.

    `opposite` is the key under which the opposite is said, `except` or `applies_to`; empty where there is none.
    """
    found = _as_negation(field, text, opposite)
    found = found or next(filter(None, (check(field, text) for check in _CHECKS)), None)
    if found is not None:
        diagnostics.warning("P018", node.span, *found)


def check_near_values(context: Context) -> None:
    """Warn of values that are one letter away from another one of the same field that is written more often."""
    for field, places in context.literals.items():
        counts = Counter(value for value, _ in places)
        counts.update(context.tested.get(field, ()))
        values = list(counts)
        warned: set[str] = set()
        for value, span in places:
            near = None if value in warned else next(_more_usual(value, values, counts), None)
            if near is not None:
                warned.add(value)
                message = f"{quote(value)} is one letter away from {quote(near)}, which this folder has too"
                context.diagnostics.warning("P018", span, message, f'did you mean "{near}"?')


def _more_usual(value: str, values: list[str], counts: Counter[str]) -> Iterator[str]:
    for other in values:
        if _usage(other, values, counts) > _usage(value, values, counts) and _are_one_letter_apart(value, other):
            yield other


def _usage(value: str, values: list[str], counts: Counter[str]) -> tuple[int, int, int]:
    """Rank values: of two that are as frequent the longer one is right, for letters are lost more often than added."""
    return counts[value], len(value), -values.index(value)


def _are_one_letter_apart(value: str, other: str) -> bool:
    """Whether one word of a value of five letters or more has one letter more, less or otherwise than another's."""
    if sum(map(str.isalpha, value)) < _LETTERS_OF_VALUE or value.lower() == other.lower():
        return False
    words, others = _WORD.findall(value.lower()), _WORD.findall(other.lower())
    if len(words) != len(others) or _WORD.sub("", value) != _WORD.sub("", other):
        return False
    pairs = [(one, two) for one, two in zip(words, others, strict=True) if one != two]
    return len(pairs) == 1 and _differ_by_one(*pairs[0])


def _differ_by_one(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) < _LETTERS_OF_WORD or len(long) - len(short) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[start + (len(short) == len(long)) :] == long[start + 1 :]


def _as_comparison(field: str, text: str) -> tuple[str, str] | None:
    if not text.startswith(_COMPARISON):
        return None
    message = f"{quote(text)} is compared letter by letter"
    if found := _SAME.fullmatch(text):
        return message, f"write {in_quotes(found[1])}"
    if not field.startswith(METADATA):
        return message, f"write the values of {field} themselves; numbers are compared by signals with from_event"
    key = field.removeprefix(METADATA)
    name = re.sub(r"[^a-z0-9_-]+", "-", key.lower()).strip("-_").replace("_", "-")
    hint = f"for numbers declare a signal with from_event: {METADATA}{key} and write when: {{{name}: below 24}}"
    return message, hint


def _as_negation(field: str, text: str, opposite: str) -> tuple[str, str] | None:
    negated = _NEGATED.fullmatch(text)
    if negated is None:
        return None
    said = f"{{{field}: {in_quotes(negated[1])}}}"
    says = {"except": f"say it under except: [{said}]", "applies_to": f"say it under applies_to: {said}"}
    hint = says.get(opposite, "there is no such negation: write the values that are meant")
    return f"{quote(text)} is compared letter by letter", hint


def _as_list(_: str, text: str) -> tuple[str, str] | None:
    parts = [part for part in _SEVERAL.split(text) if part]
    if not _SEVERAL.search(text):
        return None
    return f"{quote(text)} is one value", f"write [{', '.join(parts)}]"


def _as_pattern(_: str, text: str) -> tuple[str, str] | None:
    is_slashed = text.startswith("/") and text.endswith("/") and len(text) > 1
    if not is_slashed and not text.endswith(".*"):
        return None
    hint = "patterns are for the text: declare a signal with from_text: {patterns: […]}"
    return f"{quote(text)} is no pattern: only a * at the end stands for something else", hint


def _as_locale(field: str, text: str) -> tuple[str, str] | None:
    locale = text.lower().replace("_", "-")
    is_tag = _BEGINNING.fullmatch(locale[:-1]) if locale.endswith("*") else _TAG.fullmatch(locale)
    if field != "locale" or is_tag:
        return None
    code = _LANGUAGES.get(locale.strip("*-"))
    return f"{quote(text)} is no locale", f"did you mean {code}?" if code else "write such as en, en-GB or en-*"


def _as_another(_: str, text: str) -> tuple[str, str] | None:
    for word in _WORD.findall(text) if not text.isascii() else ():
        alphabets = {unicodedata.name(letter, "").partition(" ")[0] for letter in word} & _ALPHABETS
        if len(alphabets) > 1:
            odd = next(letter for letter in word if not letter.isascii())
            named = unicodedata.name(odd, "a letter without a name")
            return f"{quote(word)} has letters of two alphabets", f"it has {named}: write all of it in one"
        folded = folded_to_ascii(unicodedata.normalize("NFD", word))
        is_latin = alphabets == {"LATIN"}  # with strokes, as a language may have them
        if folded.isascii() and not is_latin and not any(letter.isascii() for letter in word):
            return (
                f"{quote(word)} looks like {quote(folded)} and is other letters",
                "write the letters that events have",
            )
    return None


_CHECKS: Final = (_as_comparison, _as_list, _as_pattern, _as_locale, _as_another)
