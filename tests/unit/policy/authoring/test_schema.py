import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from moderator.errors import PolicyError
from moderator.policy.authoring.schema import policy_schema
from moderator.policy.files.vocabulary import read_vocabulary
from tests.unit.policy.community import NEWCOMERS, community_files
from tests.unit.policy.folders import CHAT_SAFETY, a_folder

EXAMPLES = Path(__file__).parents[4] / "policies"
BROKEN = "rules: [{rule: 1"


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return policy_schema(*read_vocabulary(a_folder(tmp_path_factory.mktemp("policies"))))


def faults_of(schema: dict[str, Any], text: str) -> list[str]:
    return [error.json_path for error in Draft7Validator(schema).iter_errors(YAML(typ="safe").load(text))]


def test_it_is_a_schema_that_takes_the_whole_language(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)

    # A date that is plain in YAML is read as text by the language and by editors, as a date by this test's reader.
    text = CHAT_SAFETY.replace("2026-10-01", '"2026-10-01"').replace("2027-01-01", '"2027-01-01"')
    assert faults_of(schema, text) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("safety: below 0.30", "safty: below 0.30"),
        ("safety: below 0.30", "safety: below .30"),
        ("safety: below 0.30", "safety: under 0.30"),
        ("honesty: in the lowest 2%", "honesty: below 0.2"),
        ("honesty: in the lowest 2%", "honesty: in the lowest 51%"),
        ("    mode: shadow\n", ""),
        ("mode: shadow", "mode: quiet"),
        ("reason: low_quality", "reason: boring"),
        ("severity: medium", "severity: middling"),
        ("25% of users", "25% of people"),
        ("25% of users", "0% of users"),
        ("- role: [moderator, staff]", "- rank: [moderator, staff]"),
        ("speaker: assistant", "speaker: robot"),
        ("    budget:", "    excpet: []\n    budget:"),
        ("channel: [general, help]", "channel: []"),
    ],
)
def test_an_editor_marks_a_slip(schema: dict[str, Any], old: str, new: str) -> None:
    assert old in CHAT_SAFETY

    assert faults_of(schema, CHAT_SAFETY.replace(old, new))


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return policy_schema(*read_vocabulary(community_files(tmp_path_factory.mktemp("community"))))


def test_it_takes_facts_actions_tags_and_rules_without_conditions(community: dict[str, Any]) -> None:
    Draft7Validator.check_schema(community)

    assert faults_of(community, NEWCOMERS) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("account-age: below 24", "account-age: in the lowest 2%"),
        ("action: hold", "action: delete"),
        ("queue: newcomers", "queue: nobody"),
        ("user: young-account", "user: welcome"),
        ("user: young-account", "everybody: young-account"),
        ("    tag: [reported]", "    tag: []"),
        ("    tag: [reported]\n", ""),
        ("    tag: [reported]", "    tag: [reported]\n    flag: {severity: low, reason: spam}"),
    ],
)
def test_an_editor_marks_a_slip_in_them(community: dict[str, Any], old: str, new: str) -> None:
    assert old in NEWCOMERS

    assert faults_of(community, NEWCOMERS.replace(old, new))


def test_where_nothing_is_declared_any_name_may_be_meant(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)
    flag = schema["definitions"]["rule"]["properties"]["flag"]["properties"]

    assert not {"enum"} & {*flag["action"], *flag["queue"], *flag["notify"]["properties"]["user"]}


def test_signals_fields_and_reasons_are_offered_with_what_they_mean(schema: dict[str, Any]) -> None:
    conditions = schema["definitions"]["condition"]["properties"]
    flag = schema["definitions"]["rule"]["properties"]["flag"]["properties"]

    assert list(conditions) == ["all", "any", "safety", "helpfulness", "correctness", "honesty", "usefulness"]
    assert conditions["safety"]["description"] == "How safe. 0 to 1; high is good."
    assert conditions["helpfulness"]["examples"][0] == "below 2"
    assert conditions["honesty"]["examples"] == ["in the lowest 2%", "missing"]
    assert flag["reason"]["enum"] == ["unsafe_content", "low_quality"]
    assert "role" in schema["definitions"]["scope"]["properties"]


def test_broken_policies_do_not_keep_the_schema_from_being_written(tmp_path: Path) -> None:
    a_folder(tmp_path, BROKEN, tests=[BROKEN])

    assert policy_schema(*read_vocabulary(tmp_path))["title"]


@pytest.mark.parametrize("name", ["settings.yaml", "signals.yaml"])
def test_broken_names_are_told(tmp_path: Path, name: str) -> None:
    folder = a_folder(tmp_path)
    (folder / name).write_text(BROKEN)

    with pytest.raises(PolicyError, match=rf"P004 {name}"):
        read_vocabulary(folder)


@pytest.mark.parametrize("name", ["settings.yaml", "signals.yaml"])
def test_missing_names_are_told(tmp_path: Path, name: str) -> None:
    folder = a_folder(tmp_path)
    (folder / name).unlink()

    with pytest.raises(PolicyError, match=rf"P001 {name} this file is missing"):
        read_vocabulary(folder)


@pytest.mark.parametrize(
    "folder", [EXAMPLES, EXAMPLES / "armorm", EXAMPLES / "spam"], ids=["any model", "armorm", "spam"]
)
def test_the_examples_carry_their_schema_and_keep_to_it(folder: Path) -> None:
    """After a change to settings or signals: `make generate`."""
    stored = json.loads((folder / ".schema" / "policy.json").read_text())

    assert stored == policy_schema(*read_vocabulary(folder))
    for file in folder.glob("*-*.yaml"):
        if not file.stem.endswith(".test"):
            assert file.read_text().startswith("# yaml-language-server: $schema=.schema/policy.json\n")
            assert faults_of(stored, file.read_text()) == []
