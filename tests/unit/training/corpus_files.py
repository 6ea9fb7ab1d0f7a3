"""A made-up data folder in the format that training reads: a few dozen rows, clearly safe or clearly not."""

import gzip
import json
from pathlib import Path
from typing import Any

_SAFE = ["what a lovely {} today", "thank you for the {}", "see you at the {} tomorrow", "my {} is new and shiny"]
_UNSAFE = ["you stupid {} idiot", "I will kill your {}", "you are a worthless {} loser", "I hate you and your {}"]
_THINGS = ["garden", "car", "book", "phone", "dog", "cake", "train", "song", "shirt", "lamp", "bread", "boat"]


def write_corpus(folder: Path) -> Path:
    """Write the four files."""
    write_lines(folder / "train.jsonl.gz", [*_messages(), *_replies()])
    write_lines(folder / "pairs.jsonl.gz", _pairs())
    write_lines(folder / "relevance.jsonl.gz", [reply for reply in _replies() if reply["labels"]["helpfulness"] > 0.5])
    with gzip.open(folder / "identity_templates.csv.gz", "wt") as file:
        file.write("template,toxicity,phrase\n")
        file.writelines(f"verb_adj,{kind},{verb} {thing}\n" for kind, verb in _VERBS for thing in _THINGS)
    return folder


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


_VERBS = [("toxic", "kill"), ("nontoxic", "hug")]
_ORIGIN = {"source": "made-up", "licence": "CC0-1.0"}


def _messages() -> list[dict[str, Any]]:
    return [
        {"messages": [_user(text.format(thing))], "labels": {"is_safe": label}, **_ORIGIN}
        for texts, label in ((_SAFE, 0.95), (_UNSAFE, 0.05))
        for text in texts
        for thing in _THINGS
    ]


def _replies() -> list[dict[str, Any]]:
    answers = [("The {} is in the hall, next to the stairs.", 0.9), ("idk {}", 0.05)]
    return [
        {
            "messages": [_user(f"where is the {thing}?"), {"role": "assistant", "content": answer.format(thing)}],
            "labels": {"is_safe": 0.95, "helpfulness": label},
            **_ORIGIN,
        }
        for answer, label in answers
        for thing in _THINGS
    ]


def _pairs() -> list[dict[str, Any]]:
    replies = _replies()
    half = len(replies) // 2
    return [
        {"chosen": better["messages"], "rejected": worse["messages"], "objective": "helpfulness", **_ORIGIN}
        for better, worse in zip(replies[:half], replies[half:], strict=True)
    ]


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}
