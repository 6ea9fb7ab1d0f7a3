"""Fits the objective `spam` on the practice model: `python -m tests.spam.fit DIR`, further words go to `model probe`.

With `moderator/demo/builtin-with-spam` as DIR it makes the demo's probe again, which a new practice model needs.

A line of `phrases.txt` is a template, and so are the messages among the phrases of the practice model: no spam, in some
twenty languages. Its wordings carry one conversation's id, so `moderator model probe` learns from all of them or holds
all of them out: the figures that it prints are of templates that it never saw.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from moderator.training.data.phrases import OWN_PHRASES

PHRASES: Final = Path(__file__).with_name("phrases.txt")
MOST_WORDINGS: Final = 4
_LINE: Final = re.compile(r"(?P<kind>[a-z]+): (?P<template>.+)")
_CHOICE: Final = re.compile(r"\{([^{}]*)\}")


def templates(*files: Path) -> Iterator[tuple[bool, str]]:
    """Read whether each line is spam, and its template; lines with an answer are passed over."""
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    for line in lines:
        parts = _LINE.fullmatch(line)
        if parts is not None and " => " not in line:
            yield parts["kind"] == "spam", parts["template"]


def wordings(template: str) -> list[str]:
    """Give a few wordings of a template, as different as its choices allow; always the same ones."""
    parts = [part.split("|") if at % 2 else [part] for at, part in enumerate(_CHOICE.split(template))]
    every = ["".join(chosen).strip() for chosen in product(*parts)]
    few = sorted(dict.fromkeys(every), key=lambda text: hashlib.sha256(text.encode()).digest())
    return few[:MOST_WORDINGS]


def labelled_lines() -> Iterator[str]:
    """Give the lines of a file of labels, as `moderator model probe` reads them."""
    for is_spam, template in templates(PHRASES, OWN_PHRASES):
        name = hashlib.sha256(template.encode()).hexdigest()[:16]
        for text in wordings(template):
            yield json.dumps({"text": text, "conversation_id": name, "labels": {"spam": int(is_spam)}}) + "\n"


def fit(output: Path, *more: str) -> None:
    """Write the probe's folder, and print its report.

    Args:
        output: the folder.
        more: arguments of `moderator model probe`.
    """
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.jsonl"
        labels.write_text("".join(labelled_lines()), "utf-8")
        command = [sys.executable, "-m", "moderator", "model", "probe", "--model", "builtin"]
        subprocess.run([*command, "--labels", str(labels), "--output", str(output), *more], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the folder to write")
    known, more = parser.parse_known_args()
    fit(known.output, *more)
