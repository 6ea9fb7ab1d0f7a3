"""What pages say of names that the code has: metrics, headers, codes, topics."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer
from prometheus_client import CollectorRegistry

from moderator.cli import exit_codes
from moderator.cli.app import app
from moderator.events import DeadLetterReason, Mode, Outcome, Severity, Status, Verdict
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from tests.generate import asyncapi
from tests.pages import PAGES, ROOT, inline_code

DOCS = ROOT / "docs"
DECLARATION = "moderator_reading"
"""A key of a checkpoint's config.json; it begins as metrics do."""


def test_every_metric_that_a_page_names_exists() -> None:
    known = {definition.name for definition in Metrics(CollectorRegistry()).definitions}

    named = {name for page in PAGES for code in inline_code(page) for name in re.findall(r"moderator_[a-z_]+", code)}

    named.discard(DECLARATION)
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} - known == set()


@pytest.mark.parametrize("words", [DeadLetterReason, Outcome, Status, Verdict])
def test_the_concepts_name_every_word_that_a_record_may_hold(words: object) -> None:
    assert set(get_args(words)) - set(inline_code(DOCS / "concepts.md")) == set()


@pytest.mark.parametrize("words", [Outcome, Status, Verdict, Severity])
def test_the_language_names_every_word_that_a_test_may_expect(words: object) -> None:
    assert set(get_args(words)) - set(inline_code(DOCS / "policy-language.md")) == set()


def test_every_mode_of_a_rule_is_explained() -> None:
    text = (DOCS / "concepts.md").read_text("utf-8")

    assert [mode for mode in get_args(Mode) if f"*{mode}*" not in text] == []


def test_the_page_for_consumers_names_every_header() -> None:
    messages = asyncapi()["components"]["messages"].values()
    headers = {name for message in messages for name in message.get("headers", {}).get("properties", {})}

    assert len(headers) > 10
    assert headers - set(inline_code(DOCS / "consuming.md")) == set()


def test_the_page_for_consumers_names_every_topic() -> None:
    topics = {field.default for name, field in KafkaSettings.model_fields.items() if name.endswith("_topic")}

    assert topics - set(inline_code(DOCS / "consuming.md")) == set()


def test_every_option_and_command_is_on_a_page() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    commands = list(commands_below("moderator", typer.main.get_command(app)))
    options = {option for _, command in commands for each in command.params for option in each.opts if "--" in option}

    assert len(commands) > 20
    assert [name for name, _ in commands if name not in text] == []
    assert [option for option in options if not re.search(rf"{option}(?![\w-])", text)] == []


def commands_below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    for each, below in getattr(command, "commands", {}).items():
        yield from commands_below(f"{name} {each}", below)
    if not hasattr(command, "commands"):
        yield name, command


def test_the_page_for_operators_lists_every_exit_code() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.isupper()}
    section = (DOCS / "operating.md").read_text("utf-8").partition("## Exit codes")[2].partition("\n## ")[0]

    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}

    assert codes - listed == set()
