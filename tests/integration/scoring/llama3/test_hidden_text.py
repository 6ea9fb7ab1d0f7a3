"""Padding that nobody sees around a threat: Llama-3's own tokenizer, and the whole pipeline with the practice model."""

import json
import sys
from pathlib import Path

import pytest

from moderator.cli.app import main
from moderator.events import Turn
from moderator.scoring.rendering.llama3 import Llama3Renderer

pytestmark = pytest.mark.xdist_group("tokenizer of Llama 3")

THREAT = "I will find you and hurt you, you worthless idiot"
PADDINGS = {
    "\u034f": 1_400,
    "\u2060": 1_400,
    "\U000e0041": 1_400,
    "\u00ad": 3_000,
    "\ufe0f": 3_000,
    "\u200b": 9_000,
    "\u0301": 9_000,
}
"""Character -> how many of it at each side pushed the threat out of the 4,096 tokens that Llama-3 models keep."""


def padded(text: str, padding: str) -> str:
    pad = padding * PADDINGS[padding]
    return f"Hi {pad}{text}{pad} !"


@pytest.mark.parametrize("padding", PADDINGS, ids=ascii)
def test_invisible_padding_pushes_nothing_out_of_what_a_model_keeps(
    llama3_renderer: Llama3Renderer, padding: str
) -> None:
    [rendering] = llama3_renderer.render([[Turn("user", padded(THREAT, padding))]])

    read = llama3_renderer.content._text.decode(list(rendering.token_ids), skip_special_tokens=False)
    assert rendering.cut == "nothing"
    assert THREAT in read
    assert len(rendering.token_ids) < 100


def test_a_flagged_threat_stays_flagged_behind_invisible_padding(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    events = [{"id": ascii(padding), "text": padded(THREAT, padding)} for padding in PADDINGS]
    file = tmp_path / "chat.jsonl"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in [{"id": "plain", "text": THREAT}, *events]))
    monkeypatch.setattr(sys, "argv", ["moderator", "score", str(file), "--model", "builtin"])

    with pytest.raises(SystemExit):
        main()

    decisions = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(each["verdict"], each["reasons"]) for each in decisions] == [("flag", ["abusive_message"])] * 8
    assert [each["reading"]["removed"] >= 1_400 for each in decisions] == [False, *[True] * 7]
