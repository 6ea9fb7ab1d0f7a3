"""Every block of code in README and docs is checked as its fence says; `tests/pages.py` lists the ways."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import jsonschema
import orjson
import pytest
import typer
from typer.core import TyperGroup

from moderator.cache.verdicts import verdict_value
from moderator.cli.app import app
from moderator.events import Rejection
from moderator.guards.file import read_verdicts
from moderator.http.api.openapi import openapi
from moderator.policy import load_policies
from moderator.policy.loader import check_folder
from moderator.settings import load_settings
from moderator.settings.names import known_settings, variable_of
from moderator.settings.sources import SECRETS_FOLDER_VARIABLE
from tests.builders import an_encoded_decision
from tests.generate import chat_event_schema, decision_schema, label_schema
from tests.pages import PAGES, ROOT, Block, blocks
from tests.unit.policy.folders import CALIBRATION, CALIBRATION_FILE

LANGUAGE = ROOT / "docs" / "policy-language.md"
CHECKS = {
    "sh": {"run", "parse", "make", "client", "send", "skip"},
    "yaml": {"file", "policy", "condition", "rule-part", "moderator.yaml", "verdicts", "litellm", "skip"},
    "json": {"event", "decision", "error", "label", "part-of-decision", "rejected", "verdict"},
    "text": {"file", "output", "golden", "skip"},
    "mermaid": {""},
    "python": {"client", "ask", "openai"},
    "java": {"client"},
    "js": {"client"},
}
"""Language -> the ways to check a block in it."""

WITH_ENOUGH_WORDS = 3
(USAGE_ERROR,) = typer.BadParameter.__bases__


def _ids(block: Block) -> str:
    return str(block)


def _blocks(language: str, *kinds: str) -> list[Block]:
    found = [block for block in blocks() if block.language == language and block.kind in kinds]
    assert found, f"no page has a block {language} {kinds}"
    return found


@pytest.mark.parametrize("block", blocks(), ids=_ids)
def test_every_block_says_how_it_is_checked(block: Block) -> None:
    assert block.kind in CHECKS.get(block.language, set())


@pytest.mark.parametrize("block", [block for block in blocks() if block.kind == "skip"], ids=_ids)
def test_a_block_that_is_not_checked_gives_a_reason(block: Block) -> None:
    assert len(block.check.partition(":")[2].split()) >= WITH_ENOUGH_WORDS


@pytest.mark.parametrize("block", _blocks("sh", "make"), ids=_ids)
def test_every_target_of_make_exists(block: Block) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    called = [re.fullmatch(r"make ([a-z-]+)( ARGS=\S+)?", line) for line in _commands(block)]

    assert [found and found[1] in targets for found in called] == [True] * len(called)


@pytest.mark.parametrize("block", _blocks("sh", "parse"), ids=_ids)
def test_every_command_is_one_that_the_command_line_takes(block: Block) -> None:
    for line in _commands(block):
        words = shlex.split(line)
        while words and re.match(r"(export$|MODERATOR_)", words[0]):
            words.pop(0)
        if words:
            assert words[0] == "moderator"
            _parse(typer.main.get_command(app), words)


@pytest.mark.parametrize("line", ["moderator runs", "moderator run --modle builtin", "moderator policy diff policies"])
def test_a_wrong_command_does_not_pass(line: str) -> None:
    with pytest.raises(USAGE_ERROR):
        _parse(typer.main.get_command(app), shlex.split(line))


def _commands(block: Block) -> list[str]:
    """Give the commands of a block, comments and continued lines taken out."""
    text = block.text.replace("\\\n", " ")
    return [line for raw in text.splitlines() if (line := re.sub(r"(^|\s+)#.*", "", raw).strip())]


def _parse(command: Any, words: list[str], parent: typer.Context | None = None) -> None:
    """Let the command line read the words, and run nothing."""
    name, *rest = words
    if not isinstance(command, TyperGroup):
        command.make_context(name, rest, parent=parent)
        return
    context = typer.Context(command, parent=parent, info_name=name)
    found = command.get_command(context, rest[0]) if rest else None
    if found is None:
        raise USAGE_ERROR(f"no such command: {rest[:1]}")
    _parse(found, rest, context)


def test_every_variable_that_a_page_names_is_a_setting() -> None:
    known = {variable_of(path) for path in known_settings()} | {SECRETS_FOLDER_VARIABLE}

    named = {
        (page.name, name) for page in PAGES for name in re.findall(r"MODERATOR_[A-Z_]*[A-Z]", page.read_text("utf-8"))
    }

    assert {(page, name) for page, name in named if name not in known} == set()


@pytest.mark.parametrize("block", _blocks("yaml", "moderator.yaml"), ids=_ids)
def test_a_settings_file_is_read(block: Block, tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text(block.text, "utf-8")

    load_settings(environ={}, folder=tmp_path)


@pytest.mark.parametrize("block", _blocks("yaml", "verdicts"), ids=_ids)
def test_a_file_of_verdicts_is_read(block: Block, tmp_path: Path) -> None:
    (tmp_path / "verdicts.yaml").write_text(block.text, "utf-8")

    assert len(read_verdicts(tmp_path / "verdicts.yaml").objectives) > 1


@pytest.fixture
def language_folder(tmp_path: Path) -> Path:
    """The policy folder that the examples of the language's page form together."""
    for block in blocks(LANGUAGE):
        if name := block.argument("file"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(block.text, "utf-8")
    (tmp_path / CALIBRATION_FILE).parent.mkdir()
    (tmp_path / CALIBRATION_FILE).write_text(CALIBRATION, "utf-8")
    return tmp_path


def test_the_examples_of_the_language_form_a_folder_without_a_problem(language_folder: Path) -> None:
    policies, problems = check_folder(language_folder)

    assert [str(problem) for problem in problems] == []
    assert policies is not None
    assert len(policies.tests) > 1


@pytest.mark.parametrize("block", _blocks("yaml", "condition", "rule-part"), ids=_ids)
def test_every_fragment_of_a_rule_loads(block: Block, language_folder: Path) -> None:
    part = f"when:\n{indent(block.text, '  ')}" if block.kind == "condition" else block.text
    keys = "about: One.\nmode: live\nflag: {severity: low, reason: low_quality}\n" + part
    keys += "" if block.kind == "condition" else "when: {safety: below 0.30}\n"
    text = f"policy: fragment\nabout: One.\nowner: me@example.com\nrules:\n  - rule: one\n{indent(keys, '    ')}"
    (language_folder / "fragment.yaml").write_text(text, "utf-8")

    policies = load_policies(language_folder)

    assert "fragment" in {policy.name for policy in policies.policies}


@pytest.mark.parametrize("block", _blocks("yaml", "policy"), ids=_ids)
def test_every_policy_loads_beside_the_example_settings(block: Block, tmp_path: Path) -> None:
    for name in ("settings.yaml", "signals.yaml"):
        (tmp_path / name).write_bytes((ROOT / "policies" / name).read_bytes())
    shutil.copytree(ROOT / "policies" / "lists", tmp_path / "lists")
    (tmp_path / "policy.yaml").write_text(block.text, "utf-8")

    _, problems = check_folder(tmp_path)

    assert [str(problem) for problem in problems] == []


@pytest.mark.parametrize("block", _blocks("json", "event"), ids=_ids)
def test_every_event_is_valid(block: Block) -> None:
    _validate(json.loads(block.text), chat_event_schema())


@pytest.mark.parametrize("block", _blocks("json", "decision"), ids=_ids)
def test_every_decision_is_valid(block: Block) -> None:
    _validate(json.loads(block.text), decision_schema())


@pytest.mark.parametrize("block", _blocks("json", "label"), ids=_ids)
def test_every_label_is_valid(block: Block) -> None:
    _validate(json.loads(block.text), label_schema())


@pytest.mark.parametrize("block", _blocks("json", "verdict"), ids=_ids)
def test_every_verdict_has_the_keys_of_one_in_redis(block: Block) -> None:
    written = orjson.loads(verdict_value(an_encoded_decision()))

    assert list(json.loads(block.text)) == list(written)


@pytest.mark.parametrize("block", _blocks("json", "rejected"), ids=_ids)
def test_every_rejection_is_one_in_redis(block: Block) -> None:
    assert json.loads(block.text) == orjson.loads(verdict_value(Rejection("acme", "evt-1", "no_text")))


@pytest.mark.parametrize("block", _blocks("json", "error"), ids=_ids)
def test_every_error_is_one_that_the_api_answers(block: Block) -> None:
    _validate(json.loads(block.text), openapi()["components"]["schemas"]["Error"])


@pytest.mark.parametrize("block", _blocks("json", "part-of-decision"), ids=_ids)
def test_every_part_of_a_decision_has_valid_fields(block: Block) -> None:
    _validate(json.loads(block.text), _without_required(decision_schema()))


def _validate(content: object, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(content)


def _without_required(schema: Any) -> Any:
    """Let keys be left out, while those that are there must still be right and known."""
    if isinstance(schema, list):
        return [_without_required(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {key: _without_required(value) for key, value in schema.items() if key != "required"}
    return loose | ({"additionalProperties": False} if "properties" in loose else {})


@pytest.mark.parametrize("block", _blocks("text", "golden"), ids=_ids)
def test_every_problem_shown_is_one_that_the_golden_texts_hold(block: Block) -> None:
    assert any(block.text in case.read_text("utf-8") for case in (ROOT / "tests" / "golden" / "policy").glob("*.txt"))


@pytest.mark.parametrize("block", _blocks("mermaid", ""), ids=_ids)
def test_every_picture_is_a_flow_chart_that_holds_together(block: Block) -> None:
    head, *lines = block.text.strip().splitlines()
    arrows = [line for line in lines if "--" in line]
    ends = [end for line in arrows for end in re.split(r"\s*<?--+>\s*(?:\|[^|]*\|\s*)?", line.strip())]

    assert re.fullmatch(r"flowchart (LR|TD)", head)
    assert len(arrows) == len(lines) > 1
    assert [end for end in ends if not re.fullmatch(r"\w+(\[.+\]|\(.+\)|\{.+\})?", end)] == []
    assert _undeclared(ends) == set()


def _undeclared(ends: list[str]) -> set[str]:
    names = {re.match(r"\w+", end)[0] for end in ends}  # type: ignore[index]
    return names - {end.partition(bracket)[0] for end in ends for bracket in "[({" if bracket in end}


def test_keys_of_the_tables_are_those_that_the_loader_takes(tmp_path: Path) -> None:
    documented = dict(_documented_keys())

    assert documented == {what: keys for what, keys in _taken_keys(tmp_path).items() if what in documented}
    assert len(documented) == len(TABLES)


TABLES = {
    "settings.yaml": "## settings.yaml",
    "the signal safety": "key of a signal",
    "scale": "key of a scale",
    "from_text": "key of `from_text`",
    "an exemption": "## exemptions.yaml",
    "a test file": "key of a test file",
    "a test": "key of a test",
    "given": "key of `given`",
    "expect": "key of `expect`",
}
"""What the loader calls a mapping -> the words above or in the table that lists its keys."""


def _documented_keys() -> Iterator[tuple[str, set[str]]]:
    text = LANGUAGE.read_text("utf-8")
    for what, words in TABLES.items():
        found = re.search(rf"{re.escape(words)}(?: \|.*)?\n(?:(?!\|---).*\n)*\|---.*\n((?:\|.*\n)+)", text)
        assert found, words
        first_cells = [row.split("|")[1] for row in found[1].splitlines()]
        yield what, {key for cell in first_cells for key in re.findall(r"`([a-z_]+)`", cell)}


UNKNOWN_KEYS = {
    "settings.yaml": "zzz: 1\n",
    "signals.yaml": "signals: {safety: {zzz: 1}, other: {about: One., from: x, good: high, scale: {zzz: 1}},"
    " text: {about: One., from_text: {zzz: 1}}}\n",
    "exemptions.yaml": "exemptions: [{zzz: 1}]\n",
    "chat-safety.test.yaml": "zzz: 1\ntests_for: chat-safety\ntests: [{zzz: 1}, {given: {zzz: 1}, expect: {zzz: 1}}]\n",
}


def _taken_keys(folder: Path) -> dict[str, set[str]]:
    """Ask the loader by giving it an unknown key everywhere: it lists those it takes."""
    for name, text in UNKNOWN_KEYS.items():
        (folder / name).write_text(text, "utf-8")
    _, problems = check_folder(folder)
    listed = re.findall(r"([\w. ]+?) may have: ([\w, ]+)", "\n".join(map(str, problems)))
    return {what.strip(): set(keys.split(", ")) for what, keys in listed}
