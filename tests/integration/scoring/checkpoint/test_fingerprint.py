"""The hash that names a checkpoint."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from moderator.scoring.armorm.armorm import ArmoRM
from tests.integration.scoring.checkpoint.damage import (
    WEIGHTS,
    change_weights,
)
from tests.models import tiny_armorm


def test_the_fingerprint_is_that_of_sha256sum(copied: Path) -> None:
    fingerprint = tiny_armorm.load(copied).fingerprint

    names = ["chat_template.jinja", "config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"]
    lines = "".join(f"{sha256((copied / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    assert fingerprint == f"sha256:{sha256(lines.encode()).hexdigest()}"


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
def test_any_change_to_a_file_that_is_read_changes_the_fingerprint(copied: Path, armorm: ArmoRM, name: str) -> None:
    content = json.loads((copied / name).read_text())
    (copied / name).write_text(json.dumps(content, indent=3))

    assert tiny_armorm.load(copied).fingerprint != armorm.fingerprint


def test_other_weights_have_another_fingerprint(copied: Path, armorm: ArmoRM) -> None:
    change_weights(copied, lambda weights: weights["regression_layer.weight"].mul_(1.5))

    assert tiny_armorm.load(copied).fingerprint != armorm.fingerprint


def test_files_that_are_not_read_leave_the_fingerprint_alone(copied: Path, armorm: ArmoRM) -> None:
    (copied / "README.md").write_text("about")

    assert tiny_armorm.load(copied).fingerprint == armorm.fingerprint


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("special_tokens_map.json", True),
        ("added_tokens.json", True),
        ("chat_templates/rag.jinja", True),
        ("chat_template.json", False),  # chat_template.jinja wins over it
    ],
)
def test_a_file_of_tokens_or_templates_counts_where_it_is_read(
    copied: Path, armorm: ArmoRM, name: str, *, counts: bool
) -> None:
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_text("{}")

    assert (tiny_armorm.load(copied).fingerprint != armorm.fingerprint) == counts


def test_files_of_tokens_do_not_count_where_the_config_lists_all_tokens(copied: Path) -> None:
    path = copied / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"added_tokens_decoder": {}}))
    before = tiny_armorm.load(copied).fingerprint

    (copied / "special_tokens_map.json").write_text("{}")

    assert tiny_armorm.load(copied).fingerprint == before
