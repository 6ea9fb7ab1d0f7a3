"""Small steps of the tests of classifiers: load one, score, change its files."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from moderator.errors import ConfigurationError
from moderator.events import Scores, Turn
from moderator.scoring.engine import Engine, load_scorer
from moderator.settings import ModelSettings
from tests.builders import prompts_of

CONVERSATIONS = [
    [Turn("user", text)]
    for text in ("hello", "how do i reset my password", "the fox " * 8, "you are an idiot", "x", "hello you")
] + [[Turn("user", "hello"), Turn("assistant", "how are you"), Turn("user", "the lazy dog")]]


def load_classifier(folder: Path, **settings: Any) -> Engine:
    return load_scorer(ModelSettings(path=str(folder), device="cpu", **{"check": False, **settings}))


def rewards(engine: Engine, conversations: Sequence[Sequence[Turn]]) -> list[tuple[float, ...]]:
    results = engine.score(prompts_of(engine, conversations))
    assert all(isinstance(result, Scores) for result in results)
    return [result.rewards for result in results if isinstance(result, Scores)]


def error_of(folder: Path, **settings: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load_classifier(folder, **settings)
    text = str(raised.value)
    assert "\n" not in text
    return text


def change_config(folder: Path, **changes: Any) -> Path:
    fields = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({name: each for name, each in fields.items() if each is not ...}))
    return folder


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / folder.name))
