"""Probes over every family: the backbone's scores stay, and what is added is read from the hidden state of its head."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from moderator.errors import ConfigurationError
from moderator.events import Scores, Turn
from moderator.objectives import BUILTIN, ModelOutputs
from moderator.policy.authoring.model_outputs import read_outputs
from moderator.scoring.description import describe
from moderator.scoring.engine import check_model, load_hidden_reader
from moderator.settings import ModelSettings
from tests.builders import prompts_of
from tests.integration.scoring.classifiers import (
    CONVERSATIONS,
    change_config,
    copied,
    error_of,
    load_classifier,
    rewards,
)
from tests.models import tiny_armorm, tiny_guards, tiny_probes

LONG = [Turn("user", "a very long message " * 40)]


@pytest.fixture
def backbone(written: Callable[..., Path], tmp_path: Path) -> Path:
    return copied(written("qwen2"), tmp_path)


@pytest.fixture
def probe(backbone: Path, tmp_path: Path) -> Path:
    return tiny_probes.write(tmp_path / "probes" / "spam", backbone)


def check_added(base: Path | str, folder: Path) -> None:
    """The backbone's scores and overall score are untouched, and the added ones are what the weights say."""
    probed, plain = load_classifier(folder, check=True), load_classifier(base)  # type: ignore[arg-type]
    wide, own = load_hidden_reader(ModelSettings(path=str(base), device="cpu", check=False))

    results = probed.score(prompts_of(probed, CONVERSATIONS))

    assert probed.identity.objectives == (*plain.identity.objectives, "spam", "selling")
    assert probed.identity.scale == "raw"
    expected = zip(results, plain.score(prompts_of(plain, CONVERSATIONS)), rewards(wide, CONVERSATIONS), strict=True)
    for result, alone, hidden in expected:
        assert isinstance(result, Scores)
        assert isinstance(alone, Scores)
        assert result.rewards[:-2] == alone.rewards
        assert result.overall == pytest.approx(alone.overall)
        even_less_odd = sum(hidden[own::2]) - sum(hidden[own + 1 :: 2])
        assert result.rewards[-2:] == pytest.approx((even_less_odd, hidden[own] + 0.5), rel=1e-4, abs=1e-4)
    assert len({round(result.rewards[-2], 3) for result in results if isinstance(result, Scores)}) > 3


@pytest.mark.parametrize("family", ["qwen2", "roberta", "modernbert"])
def test_a_probe_adds_objectives_to_a_classifier(written: Callable[..., Path], tmp_path: Path, family: str) -> None:
    check_added(written(family), tiny_probes.write(tmp_path / "probe", written(family)))


def test_a_probe_adds_objectives_to_an_armorm_and_to_a_guard(tmp_path: Path) -> None:
    armorm = tiny_armorm.write_checkpoint(tmp_path / "armorm")
    guard = tiny_guards.write_guard(tmp_path / "guard", "llama", tiny_guards.LLAMA_GUARD)

    for base in (armorm, guard):
        check_added(base, tiny_probes.write(tmp_path / f"{base.name}-probe", base))


def test_a_probe_of_the_practice_model_is_a_practice_model_and_reads_as_it_does(tmp_path: Path) -> None:
    folder = tiny_probes.write(tmp_path / "probe", BUILTIN)

    check_added(BUILTIN, folder)

    probed = load_classifier(folder)
    plain = load_classifier(BUILTIN)  # type: ignore[arg-type]
    assert probed.identity.is_practice
    assert (probed.identity.name, probed.identity.framing) == ("probe", plain.identity.framing)
    assert [len(reading.passages) for reading in probed.read([LONG])] == [
        len(reading.passages) for reading in plain.read([LONG])
    ]


def test_a_probe_warms_up_and_its_noise_is_measured(probe: Path) -> None:
    engine = load_classifier(probe)
    engine.warm_up()

    assert len(engine.measure_noise()) == 3


def test_what_a_probe_gives_is_known_without_its_weights(probe: Path, backbone: Path) -> None:
    expected = ModelOutputs("spam", ("reward", "spam", "selling"), "raw")

    outputs, size_bytes = check_model(ModelSettings(path=str(probe)))
    described = describe(str(probe), lambda _: None)

    assert outputs == read_outputs(str(probe)) == expected
    assert size_bytes == (backbone / "model.safetensors").stat().st_size
    assert (described.folder, described.backbone) == (str(probe), str(backbone))
    assert described.fingerprint == load_classifier(probe).identity.fingerprint
    assert any(line.startswith("backbone ") for line in described.lines())


def test_folders_that_move_together_stay_the_same_model(probe: Path, tmp_path: Path) -> None:
    before = load_classifier(probe).identity.fingerprint
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path, elsewhere, ignore=shutil.ignore_patterns("elsewhere"))
    shutil.rmtree(tmp_path / "probes")

    assert load_classifier(elsewhere / "probes" / "spam").identity.fingerprint == before


def test_probe_and_scale_of_the_backbone_are_part_of_the_fingerprint(probe: Path, tmp_path: Path) -> None:
    other = copied(probe, tmp_path)
    save_file(
        {"probe.weight": np.zeros((2, 16), np.float32), "probe.bias": np.zeros(2, np.float32)},
        other / "probe.safetensors",
    )
    change_config(other, base=json.loads((probe / "config.json").read_text())["base"] | {"path": "../tiny-qwen2"})

    engines = [load_classifier(probe), load_classifier(other), load_classifier(probe, scale="sigmoid")]

    assert len({engine.identity.fingerprint for engine in engines}) == 3


def test_a_backbone_that_changed_is_refused_with_both_fingerprints(probe: Path, backbone: Path) -> None:
    was = json.loads((probe / "config.json").read_text())["base"]["fingerprint"]
    change_config(backbone, rope_theta=5000)
    now = describe(str(backbone), lambda _: None).fingerprint

    problem = error_of(probe)

    assert f"fitted on the backbone {was}" in problem
    assert f"is now {now}" in problem
    assert now != was
    with pytest.raises(ConfigurationError, match="fitted on the backbone"):
        describe(str(probe), lambda _: None)
    with pytest.raises(ConfigurationError, match="fitted on the backbone"):
        check_model(ModelSettings(path=str(probe)))


def test_a_backbone_that_is_not_there_is_named_with_its_fingerprint(probe: Path, backbone: Path) -> None:
    shutil.rmtree(backbone)

    problem = error_of(probe)

    assert "its backbone, sha256:" in problem
    assert f"model `{backbone}`: no such folder" in problem


def test_a_probe_over_a_probe_is_refused(probe: Path, tmp_path: Path) -> None:
    change_config(
        copied(probe, tmp_path),
        base={"path": "../probes/spam", "fingerprint": "sha256:" + 64 * "0"},
        objectives=["more", "others"],
    )

    assert "is a probe itself" in error_of(tmp_path / "spam")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"base": ...}, "`base.path` must name the backbone"),
        ({"base": {"path": "x", "fingerprint": "abc"}}, "`base.fingerprint` must be"),
        ({"objectives": []}, "`objectives` must be a list of different names"),
        ({"objectives": ["spam", "spam"]}, "`objectives` must be a list of different names"),
        ({"objectives": ["Spam", "x"]}, "`Spam` is no name of an objective"),
        ({"objectives": ["reward", "x"]}, "the backbone has an objective `reward` already"),
        ({"objectives": ["spam"]}, "must hold `probe.weight` (1, h)"),
    ],
)
def test_a_wrong_config_is_named_by_key(probe: Path, changes: dict[str, object], problem: str) -> None:
    change_config(probe, **changes)

    assert problem in error_of(probe)


@pytest.mark.parametrize(
    ("weight", "problem"),
    [
        (None, "missing, truncated or not a safetensors file"),
        (np.zeros((2, 15), np.float32), "reads 15 hidden states, but the backbone has 16"),
        (np.full((2, 16), np.nan, np.float32), "holds a number that is not finite"),
    ],
)
def test_wrong_weights_are_named(probe: Path, weight: np.ndarray | None, problem: str) -> None:
    if weight is None:
        (probe / "probe.safetensors").unlink()
    else:
        save_file({"probe.weight": weight, "probe.bias": np.zeros(2, np.float32)}, probe / "probe.safetensors")

    assert problem in error_of(probe)


def test_the_added_product_is_in_float32_under_a_backbone_in_bfloat16(probe: Path) -> None:
    half = rewards(load_classifier(probe, dtype="bfloat16"), CONVERSATIONS)

    assert any(row[-2] != torch.tensor(row[-2]).bfloat16().item() for row in half)
