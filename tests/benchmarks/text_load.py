"""What text signals cost: two lists of 10,000 words, 50 patterns, links, capitals and length of one message.

An event has 200 characters, ASCII alone or with two others. Long texts are of a mebibyte in UTF-8, each of a kind that
costs some program dearly. Also what a folder with 100,000 entries costs to check.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from moderator.policy.language.text_source import EntryList, TextSource
from moderator.policy.text.text_signals import TextSignals
from tests.unit.policy.folders import SETTINGS
from tests.unit.policy.text.long_texts import SENTENCE, long_texts

BOUND_US: Final = 60.0
MIXED_BOUND_US: Final = 120.0
LONG_BOUND_MS: Final = 500.0
WORDS: Final = 10_000
MEBIBYTE: Final = 1 << 20
_LETTERS: Final = "etaoinshrdlucmfwypvbgkjqxz"
_EVENT: Final = (SENTENCE * 3)[:200]
_PATTERNS: Final = (*(rf"\bword{number}\s+[a-z]{{2,8}}\d?" for number in range(48)), "(a*)*b{3}", r"<@!?[0-9]+>")
_CHECK: Final = """
import resource, sys, time
from pathlib import Path
from moderator.policy.loader import check_folder
began_s = time.process_time()
assert check_folder(Path(sys.argv[1]))[0]
print(time.process_time() - began_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
_FOLDER: Final = {
    "settings.yaml": SETTINGS,
    "signals.yaml": "signals:\n  words: {about: Words, from_text: {words: lists/words.txt}}\n",
    "one.yaml": "policy: one\nabout: x\nowner: x\nrules:\n"
    "  - {rule: r, about: x, mode: live, when: {words: at least 1}, flag: {severity: low, reason: low_quality}}\n",
}


def event_us(signals: TextSignals, *, is_ascii: bool) -> float:
    """CPU microseconds to read all signals of one event, the median of 21 rounds."""
    text = _EVENT if is_ascii else f"{_EVENT[:-2]}éж"
    rounds = [_seconds(lambda: [signals.read(text, None, None) for _ in range(200)]) for _ in range(21)]
    return median(rounds) * 1e6 / 200


def long_ms(signals: TextSignals) -> dict[str, float]:
    """CPU milliseconds for each text of a mebibyte; the first reading of each kind has been done before."""
    texts = long_texts(MEBIBYTE)
    for text in texts.values():
        signals.read(text[:5_000], None, None)
    return {name: _seconds(partial(signals.read, text, None, None)) * 1e3 for name, text in texts.items()}


def folder_check() -> tuple[float, float]:
    """CPU seconds to check a folder with 100,000 entries in a process of its own, and its peak memory in MB."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lists").mkdir()
        draw = random.Random(2)
        entries = (f"{_a_word(draw)} {_a_word(draw)} {number}" for number in range(100_000))
        for file, text in (_FOLDER | {"lists/words.txt": "\n".join(entries)}).items():
            (folder / file).write_text(text, "utf-8")
        run = subprocess.run([sys.executable, "-c", _CHECK, name], check=True, capture_output=True, text=True)
    seconds, megabytes = run.stdout.split()
    return float(seconds), float(megabytes)


def some_signals() -> TextSignals:
    """Compile the lists."""
    draw = random.Random(1)
    words = dict.fromkeys(_a_word(draw) for _ in range(3 * WORDS))
    lists = [list(words)[:WORDS], list(words)[WORDS : 2 * WORDS]]
    sources = {f"words-{number}": TextSource("words", _listed(entries)) for number, entries in enumerate(lists)}
    patterns = {"patterns": TextSource("patterns", _listed(_PATTERNS))}
    others = {"links": TextSource("links"), "loud": TextSource("capitals"), "length": TextSource("length")}
    return TextSignals(sources | patterns | others)


def _listed(entries: Sequence[str]) -> EntryList:
    return EntryList("lists/some.txt", tuple(entries), tuple(range(1, len(entries) + 1)), "")


def _a_word(draw: random.Random) -> str:
    return "".join(draw.choices(_LETTERS, weights=range(26, 0, -1), k=draw.randint(3, 10)))


def _seconds(do: Callable[[], object]) -> float:
    began_s = time.process_time()
    do()
    return time.process_time() - began_s
