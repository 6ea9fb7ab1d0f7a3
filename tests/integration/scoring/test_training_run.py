"""A whole training run on a few dozen made-up rows: it learns, and what it writes can be served."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from moderator.cli.app import app, exit_code_of
from moderator.errors import ConfigurationError
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.rendering.framing import frame
from moderator.training.data.corpus import read_corpus
from moderator.training.fitting.joint import JointStage
from moderator.training.fitting.losses import label_loss, raw_rewards, targets_of
from moderator.training.fitting.relevance import Exchange, RelevancePairs, learn_relevance
from moderator.training.fitting.schedule import Progress
from moderator.training.fitting.training_network import TrainingNetwork, small_backbone
from moderator.training.recipe import Plan, train
from moderator.training.text.batches import pad
from moderator.training.text.encoding import Encoder, Vocabulary
from moderator.training.text.tokenizer import train_tokenizer
from tests.unit.training.corpus_files import write_corpus


@pytest.fixture(autouse=True)
def _denormals_for_later_tests() -> Iterator[None]:
    """Undo what training sets for its whole process."""
    yield
    torch.set_flush_denormal(False)


def _tiny_plan(folder: Path, epochs: float = 1) -> Plan:
    phrases = folder / "phrases.txt"
    phrases.write_text("safe: hello {there|all}\ninsult: you idiot\n")
    return Plan(epochs=epochs, relevance_steps=2, gate_steps=5, vocabulary=400, hidden=16, layers=2, phrases=phrases)


def test_a_run_writes_a_checkpoint_that_scores(tmp_path: Path) -> None:
    train(write_corpus(tmp_path), tmp_path / "model", _tiny_plan(tmp_path))

    armorm = ArmoRM.from_pretrained(tmp_path / "model")
    conversation = [{"role": role, "content": content} for role, content in frame([("user", "hello there")])]
    output = armorm.score([conversation])
    assert armorm.config.objectives == ("beavertails-is_safe", "helpsteer-helpfulness")
    assert output.rewards.shape == (1, 2)
    assert output.rewards.isfinite().all()
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text()
    assert "| made-up | CC0-1.0 |" in card
    assert "TF-IDF" in card


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    data = write_corpus(tmp_path)
    plan = _tiny_plan(tmp_path, epochs=0.5)

    for name in ("first", "second"):
        train(data, tmp_path / name, plan)

    first, second = (ArmoRM.from_pretrained(tmp_path / name) for name in ("first", "second"))
    assert first.fingerprint == second.fingerprint


def test_the_joint_stage_lowers_the_loss(tmp_path: Path) -> None:
    torch.manual_seed(1)
    corpus = read_corpus(write_corpus(tmp_path))
    tokenizer = train_tokenizer([turn.content for row in corpus.rows for turn in row.conversation], vocabulary_size=400)
    encoder, vocabulary = Encoder(tokenizer), Vocabulary.of(tokenizer)
    network = TrainingNetwork(small_backbone(len(tokenizer), hidden=16, layers=2))
    ids = encoder.encode([row.conversation for row in corpus.rows])
    batch, targets = pad(ids, range(len(ids))), targets_of(corpus.rows)
    before = label_loss(network, batch, targets).item()
    exchanges = [Exchange(np.array([300, 301], np.int32), np.array([302], np.int32))] * 4
    relevance = RelevancePairs(exchanges, vocabulary, np.random.default_rng(1))

    learn_relevance(network, relevance, 2, Progress())
    JointStage(encoder, vocabulary, corpus.rows, corpus.pairs, relevance, seed=1).learn(
        network, 12, Progress(), save=lambda: None
    )

    assert label_loss(network, batch, targets).item() < 0.9 * before


def test_helpfulness_is_learned_on_the_scale_of_points() -> None:
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.5], [0.3, 1.0]])

    raw = raw_rewards(labels)

    torch.testing.assert_close(raw[:, 0], torch.tensor([1.0, 0.0, 0.3]))
    torch.testing.assert_close(raw[:, 1] * 5 - 0.5, torch.tensor([0.0, 2.0, 4.0]))


def test_a_wrong_data_folder_is_a_wrong_configuration(tmp_path: Path) -> None:
    arguments = ["model", "train", "--data", str(tmp_path / "nowhere"), "--output", str(tmp_path / "model")]

    result = CliRunner().invoke(app, arguments)

    assert isinstance(result.exception, ConfigurationError)
    assert "train.jsonl.gz" in str(result.exception)
    assert exit_code_of(result.exception) == 2


def test_an_output_that_is_a_file_is_a_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")

    with pytest.raises(ConfigurationError, match="cannot write"):
        train(tmp_path, tmp_path / "model", _tiny_plan(tmp_path))
