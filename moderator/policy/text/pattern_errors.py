"""Why a pattern is refused, and what in one will hardly do what was meant: in our words, not in RE2's."""

import re
from collections.abc import Iterator
from typing import Final

import re2

from moderator.policy.language.text_source import TextComparison
from moderator.policy.text.notations import Objection
from moderator.policy.text.patterns import checked
from moderator.policy.text.readings import Reading

_MOST_REPETITIONS: Final = 1_000
_NO_LOOK_AROUND: Final = "patterns run in linear time and know no look-around; say it without"
_NO_CLASS: Final = "the pattern names a class of characters that there is not"
_REASONS: Final = (
    ("invalid perl operator: (?=", "the pattern looks ahead", _NO_LOOK_AROUND),
    ("invalid perl operator: (?!", "the pattern looks ahead", _NO_LOOK_AROUND),
    ("invalid perl operator: (?<", "the pattern looks behind", _NO_LOOK_AROUND),
    (
        "invalid perl operator",
        "the pattern has a group of a kind that there is not",
        "write (?: ) for a group, (?i), (?m) or (?s) for a flag",
    ),
    ("invalid named capture group", "the name of a group is not complete", "write (?: ), a group without a name"),
    (
        "invalid repetition size",
        "the pattern repeats something too often",
        f"repeat at most {_MOST_REPETITIONS:,} times, nested repetitions multiplied",
    ),
    (
        "no argument for repetition",
        "a repetition stands where nothing can be repeated",
        r"write \* for the character itself",
    ),
    ("missing ]", "a [ is never closed", r"close it with ], or write \[ for the character itself"),
    ("missing )", "a ( is never closed", r"close it with ), or write \( for the character itself"),
    ("unexpected )", "a ) closes nothing", r"remove it, or write \) for the character itself"),
    ("trailing \\", "the pattern ends in a backslash", r"write \\ for the character itself"),
    ("invalid character class range: [:", _NO_CLASS, r"write such as [[:alpha:]] or \p{L}"),
    ("invalid character class range: \\p", _NO_CLASS, r"write such as \p{L}, \p{N} or \p{Cyrillic}"),
    ("invalid character class range: \\P", _NO_CLASS, r"write such as \P{L}, \P{N} or \P{Cyrillic}"),
    ("invalid character class", "a range in [ ] runs backwards", "write the lower end first, such as [a-z]"),
    ("pattern too large", "the pattern needs more memory than 1 MiB", "make it shorter, or repeat fewer times"),
)
"""How RE2's text starts, what is wrong, what to do; the first that fits."""
_BACKWARDS: Final = re.compile(r"invalid repetition size: \{(\d+),(\d+)\}")
_TWO_REPETITIONS: Final = re.compile(r"bad repetition operator: (([*+?]|\{[^}]*\})\??.*)", re.DOTALL)
_BACK_REFERENCE: Final = re.compile(r"invalid escape sequence: \\[1-9k]")
_CAPITALS: Final = re.compile(r"\\[pP](?:\{\^?Lu\}|Lu)|\[:upper:\]|\\p\{\^?Lt\}")
_ASCII_ONLY: Final = re.compile(r"(?<!\\)(?:\\\\)*\\(?P<class>[bBwWdD])")
_CLASS: Final = r"\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]"
_NOT_LITERAL: Final = re.compile(
    rf"{_CLASS}|\\[pP](?:\{{\^?\w+\}}|\w)|\\Q.*?\\E|\\x\{{[0-9A-Fa-f]+\}}|\\x[0-9A-Fa-f]{{2}}|\\.|"
    r"\(\?(?:P?<\w+>|[imsU-]*[:)])|\{\d+(?:,\d*)?\}|[\^$.|?*+()]",
    re.DOTALL,
)


def pattern_error(pattern: str, compare: TextComparison) -> Objection | None:
    """Say why a pattern is refused; None where it is not."""
    try:
        found = checked(pattern, compare)
    except re2.error as error:
        return _reason(str(error.args[0], "utf-8", "replace"))
    if found.search(b"") is not None:
        return (
            "the pattern matches the empty text, so it would be found in every text",
            "write + for *, or remove the last ?",
        )
    return None


def pattern_warnings(pattern: str, compare: TextComparison) -> Iterator[Objection]:
    """Yield what in an accepted pattern will hardly do what was meant."""
    for found in _ASCII_ONLY.finditer(pattern):
        if _is_foreign(pattern[: found.start()][-1:]) or _is_foreign(pattern[found.end() :][:1]):
            name = found["class"]
            advice = {"b": r"[^\p{L}]", "w": r"[\p{L}\p{N}_]", "d": r"\p{N}"}[name.lower()]
            yield (
                rf"\{name} knows ASCII letters and digits alone, and stands beside another letter",
                rf"\p{{L}} and \p{{N}} know all letters and digits: write {advice}, or a words list",
            )
            break
    if compare == "exact":
        return
    if _CAPITALS.search(pattern):
        yield (
            "the pattern asks for capitals, and is compared with a text without case",
            "add compare: exact to the signal",
        )
    for literal in _literals(pattern):
        reading = Reading(literal)
        quoted = checked(re2.escape(literal), compare)
        if not any(quoted.search(text) for text in (reading.plain_lines, reading.folded_lines)):
            yield f'"{literal}" is read as "{reading.plain_lines}" and never found', f"write {reading.plain_lines}"


def _reason(error: str) -> Objection:
    if _BACK_REFERENCE.match(error):
        return (
            "the pattern refers back to a group",
            "patterns run in linear time and know no back-references; say it without",
        )
    if (size := _BACKWARDS.match(error)) and int(size[1]) > int(size[2]):
        return "a repetition runs backwards", f"write the lower number first: {{{size[2]},{size[1]}}}"
    if two := _TWO_REPETITIONS.match(error):
        return "two repetitions stand one after the other", f"write {two[2]} alone, such as a{two[2]} for a{two[1]}"
    for start, reason, advice in _REASONS:
        if error.startswith(start):
            return reason, advice
    if error.startswith("invalid escape sequence"):
        return "a backslash stands before a letter that means nothing", r"write \\ for a backslash itself"
    return "the entry is no pattern", "patterns are written in the language of RE2"


def _is_foreign(character: str) -> bool:
    return not character.isascii() and character.isalpha()


def _literals(pattern: str) -> list[str]:
    """Give the runs of characters that stand for themselves, unless in ASCII; inside [ ] each character is a run."""
    inside = [each for found in re.findall(_CLASS, pattern) for each in found if not each.isascii()]
    outside = [part for part in _NOT_LITERAL.split(pattern) if not part.isascii()]
    return list(dict.fromkeys((*outside, *inside)))
