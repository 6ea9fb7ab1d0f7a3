"""`policy init`: a first folder that is right, tested and decides, whatever it is for."""

import json
from pathlib import Path

import pytest

from tests.command import Command, command_line


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command_line(monkeypatch, capsys, "policy", "init")


def test_it_ends_with_the_next_three_commands(init: Command) -> None:
    ran = init()

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "wrote policies: settings.yaml, signals.yaml, house-rules.yaml, house-rules.test.yaml, lists/example.txt, "
        "texts.yaml\n"
        "read policies/house-rules.yaml first: it is short, and says what each line does; then\n"
        "  moderator policy check policies --strict\n"
        "  moderator policy test policies\n"
        """  echo '{"text": "Win free gift cards today!", "role": "member"}' | """
        "moderator policy explain --event - --policies policies\n"
    )


def test_a_folder_that_is_not_empty_is_left_as_it_is(init: Command, tmp_path: Path) -> None:
    init("mine")
    (tmp_path / "mine" / "settings.yaml").write_text("edited\n")

    ran = init("mine")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: `mine` is not empty: name a new folder; nothing was changed\n"
    assert (tmp_path / "mine" / "settings.yaml").read_text() == "edited\n"


def test_an_empty_folder_is_filled(init: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    assert init("mine").code == 0


def test_what_the_model_does_not_give_is_left_out_and_said(init: Command, tmp_path: Path) -> None:
    model = tmp_path / "a model"
    model.mkdir()
    config = {
        "architectures": ["BertForSequenceClassification"],
        "problem_type": "multi_label_classification",
        "id2label": {"0": "toxic", "1": "obscene", "2": "threat"},
    }
    (model / "config.json").write_text(json.dumps(config))

    ran = init("mine", "--for", "both", "--model", model)

    assert ran.code == 0
    assert "left out what needs `beavertails-is_safe`: " in ran.out
    assert "left out what needs `helpsteer-helpfulness`: " in ran.out
    assert f"--policies mine --model '{model}'\n" in ran.out
    assert "# The model also gives: obscene, threat, toxic.\n" in (tmp_path / "mine" / "signals.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (("mine", "--model", "nowhere"), "cannot read `nowhere/config.json`"),
        (("file",), "cannot write into `file`: not a directory"),
        (("file/mine",), "cannot write into `file/mine`: not a directory"),
    ],
)
def test_what_cannot_be_written_is_one_error(
    init: Command, tmp_path: Path, arguments: tuple[str, ...], reported: str
) -> None:
    (tmp_path / "file").touch()

    ran = init(*arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert reported in ran.err
