"""A model's objectives from its config alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.policy.authoring.model_outputs import read_outputs

CLASSIFIER = {"architectures": ["BertForSequenceClassification"], "model_type": "bert"}


def written(folder: Path, **fields: Any) -> str:
    (folder / "config.json").write_text(json.dumps(fields))
    return str(folder)


def test_an_armorm_has_the_objectives_of_the_published_one(tmp_path: Path) -> None:
    # the published file names a label too, which means nothing there
    fields = {"architectures": ["LlamaForRewardModelWithGating"], "num_objectives": 19, "id2label": {"0": "LABEL_0"}}

    assert read_outputs(written(tmp_path, **fields)) == (tmp_path.name, ARMORM_OBJECTIVES, "raw")


@pytest.mark.parametrize(
    ("fields", "objectives"),
    [
        ({"id2label": {"1": "insult", "0": "toxic"}}, ("toxic", "insult")),
        ({"num_labels": 1}, ("LABEL_0",)),
        ({}, ("LABEL_0", "LABEL_1")),
    ],
)
def test_a_classifiers_objectives_are_its_labels(
    tmp_path: Path, fields: dict[str, Any], objectives: tuple[str, ...]
) -> None:
    assert read_outputs(written(tmp_path, **CLASSIFIER, **fields)).objectives == objectives


@pytest.mark.parametrize(
    ("fields", "wanted", "scale"),
    [
        ({"num_labels": 1}, None, "raw"),
        ({"num_labels": 2}, None, "softmax"),
        ({"num_labels": 2, "problem_type": "multi_label_classification"}, None, "sigmoid"),
        ({"num_labels": 2, "problem_type": "multi_label_classification"}, "raw", "raw"),
        ({"num_labels": 3}, "softmax", "softmax"),
    ],
)
def test_a_classifiers_scale_is_that_of_the_setting_or_else_of_its_problem_type(
    tmp_path: Path, fields: dict[str, Any], wanted: OutputScale | None, scale: str
) -> None:
    assert read_outputs(written(tmp_path, **CLASSIFIER, **fields), wanted).scale == scale


def test_the_rows_of_the_head_are_the_labels_where_the_config_names_none(tmp_path: Path) -> None:
    header = json.dumps({"score.weight": {"dtype": "F32", "shape": [1, 4], "data_offsets": [0, 16]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))

    assert read_outputs(written(tmp_path, **CLASSIFIER)) == (tmp_path.name, ("LABEL_0",), "raw")


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x02" + bytes(7) + b"{x"])
def test_damaged_weights_say_nothing_of_the_labels(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)

    assert read_outputs(written(tmp_path, **CLASSIFIER)).objectives == ("LABEL_0", "LABEL_1")


def test_labels_that_are_no_names_are_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"config\.json`: `id2label` must give 2 different names, numbered"):
        read_outputs(written(tmp_path, **CLASSIFIER, id2label={"0": "toxic", "2": "insult"}))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"objectives": ["a", "a"], "num_objectives": 7}, "must be 7 different names"),
        ({"objectives": ["a", "a"], "num_objectives": 2}, "must be 2 different names"),
        ({"objectives": ["a", "b"], "num_objectives": 19}, "must be 19 different names"),
        ({"objectives": [""], "num_objectives": 1}, "must be a list of names"),
        ({"num_objectives": "19"}, "`num_objectives` must be a whole number, 1 or more"),
        ({"objectives": ["a"], "num_objectives": True}, "`num_objectives` must be a whole number, 1 or more"),
        ({"objectives": [], "num_objectives": 0}, "`num_objectives` must be a whole number, 1 or more"),
    ],
)
def test_what_the_loader_would_refuse_is_refused_here_too(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_outputs(written(tmp_path, **fields))
