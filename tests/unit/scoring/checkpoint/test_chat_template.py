"""Where a chat template may be written, and which of several is used."""

import json
from pathlib import Path

import pytest

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.chat_template import read_template

NAMED = [{"name": "rag", "template": "R"}, {"name": "tool_use", "template": "T"}]


def write(folder: Path, **files: object) -> Path:
    """Write files by their name, with `__` for the slash and `_` before the ending."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_jinja", ".jinja").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_a_template_file_wins_over_a_json_file_and_that_over_the_tokenizer_config(tmp_path: Path) -> None:
    fields = {"chat_template": "C"}

    assert read_template(tmp_path, fields, None) == "C"
    assert read_template(write(tmp_path, chat_template_json={"chat_template": "B"}), fields, None) == "B"
    assert read_template(write(tmp_path, chat_template_jinja="A"), fields, None) == "A"


@pytest.mark.parametrize("written", [NAMED, {"rag": "R", "tool_use": "T"}])
def test_named_templates_without_a_default_are_listed_until_one_is_named(tmp_path: Path, written: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"no chat template is called `default`; say .*__TEMPLATE`: `rag`, `tool_use`$"
    ):
        read_template(tmp_path, {"chat_template": written}, None)
    assert read_template(tmp_path, {"chat_template": written}, "tool_use") == "T"


def test_the_only_named_template_is_used(tmp_path: Path) -> None:
    assert read_template(tmp_path, {"chat_template": NAMED[:1]}, None) == "R"


def test_a_name_also_picks_from_a_list_that_has_a_default(tmp_path: Path) -> None:
    fields = {"chat_template": [*NAMED, {"name": "default", "template": "D"}]}

    assert read_template(tmp_path, fields, None) == "D"
    assert read_template(tmp_path, fields, "rag") == "R"


@pytest.mark.parametrize(("fields", "there_is"), [({"chat_template": NAMED}, "`rag`, `tool_use`"), ({}, "none")])
def test_an_unknown_name_lists_the_names(tmp_path: Path, fields: dict[str, object], there_is: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"no chat template is called `x`; there is {there_is}$"):
        read_template(tmp_path, fields, "x")


@pytest.mark.parametrize("folder", ["chat_templates", "additional_chat_templates"])
def test_files_in_a_folder_are_named_templates(tmp_path: Path, folder: str) -> None:
    write(tmp_path, **{f"{folder}__rag_jinja": "R", "chat_template_jinja": "D"})

    assert read_template(tmp_path, {}, None) == "D"
    assert read_template(tmp_path, {}, "rag") == "R"


@pytest.mark.parametrize("written", [None, "", "  ", 7, [], {}, ["x"], [{"name": "rag", "template": 7}]])
def test_what_is_no_template_counts_as_none(tmp_path: Path, written: object) -> None:
    assert read_template(tmp_path, {"chat_template": written}, None) is None
