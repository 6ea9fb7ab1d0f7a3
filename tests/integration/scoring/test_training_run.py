"""A whole training run on a few dozen made-up rows: it learns, and what it writes can be served."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from typer.testing import CliRunner

from moderator.cli.app import app, exit_code_of
from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.rendering.framing import frame
from moderator.training.data.corpus import read_corpus
from moderator.training.fitting.continued import move_halfway, network_of, open_start
from moderator.training.fitting.identity import IdentityPhrases
from moderator.training.fitting.joint import JointStage
from moderator.training.fitting.losses import entropy_loss, label_loss, raw_rewards, targets_of
from moderator.training.fitting.relevance import Exchange, RelevancePairs, learn_relevance
from moderator.training.fitting.schedule import Progress
from moderator.training.fitting.training_network import TrainingNetwork, small_backbone
from moderator.training.fitting.word_embeddings import start_from
from moderator.training.recipe import Plan, train
from moderator.training.teaching.lessons import learn_labels, lessons_of
from moderator.training.teaching.teacher import Teacher
from moderator.training.text.batches import pad
from moderator.training.text.encoding import Encoder, Vocabulary
from moderator.training.text.tokenizer import train_tokenizer
from tests.models import tiny_armorm
from tests.unit.training.corpus_files import write_corpus


@pytest.fixture(autouse=True)
def _denormals_for_later_tests() -> Iterator[None]:
    """Undo what training sets for its whole process."""
    yield
    torch.set_flush_denormal(False)


def _tiny_plan(folder: Path, epochs: float = 1, teacher: Path | None = None) -> Plan:
    phrases = folder / "phrases.txt"
    phrases.write_text("safe: hello {there|all}\ninsult: you idiot\n")
    return Plan(
        epochs=epochs,
        relevance_steps=2,
        gate_steps=5,
        vocabulary=400,
        hidden=16,
        layers=2,
        phrases=phrases,
        teacher=teacher,
    )


class _Trained(NamedTuple):
    """A run that is over, to read: its data, its plan, and the model that it wrote."""

    data: Path
    plan: Plan
    model: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> _Trained:
    folder = tmp_path_factory.mktemp("trained")
    data, plan = write_corpus(folder), _tiny_plan(folder)
    train(data, folder / "model", plan)
    return _Trained(data, plan, folder / "model")


def test_a_run_writes_a_checkpoint_that_scores(trained: _Trained) -> None:
    armorm = ArmoRM.from_pretrained(trained.model)
    conversation = [{"role": role, "content": content} for role, content in frame([("user", "hello there")])]
    output = armorm.score([conversation])
    assert armorm.config.objectives == ("beavertails-is_safe", "helpsteer-helpfulness")
    assert output.rewards.shape == (1, 2)
    assert output.rewards.isfinite().all()
    card = (trained.model / "MODEL_CARD.md").read_text()
    assert "| made-up | CC0-1.0 |" in card
    assert "TF-IDF" in card


def test_the_same_seed_gives_the_same_model(trained: _Trained, tmp_path: Path) -> None:
    train(trained.data, tmp_path / "again", trained.plan)

    first, second = (ArmoRM.from_pretrained(folder) for folder in (trained.model, tmp_path / "again"))
    assert first.fingerprint == second.fingerprint


def test_a_teacher_guides_the_run_and_its_figure_is_on_the_card(tmp_path: Path) -> None:
    plan = _tiny_plan(tmp_path, epochs=0.5, teacher=_tiny_teacher(tmp_path / "teacher"))

    report = train(write_corpus(tmp_path), tmp_path / "model", plan)

    assert report.teacher_auc is not None
    assert f"| safety, the teacher | {report.teacher_auc:.3f} |" in (tmp_path / "model" / "MODEL_CARD.md").read_text()


def test_a_teacher_learns_the_labels_and_gives_logits_to_every_row(tmp_path: Path) -> None:
    torch.manual_seed(1)
    corpus = read_corpus(write_corpus(tmp_path))
    teacher = Teacher(_tiny_teacher(tmp_path / "teacher"))
    before = teacher.logits([row.conversation for row in corpus.rows])

    learn_labels(teacher, corpus.rows * 100, Progress(), seed=1)

    lessons = lessons_of(teacher, corpus)
    after = teacher.logits([row.conversation for row in corpus.rows])
    targets = targets_of(corpus.rows)
    assert entropy_loss(after, targets) < entropy_loss(before, targets)
    assert all("is_safe" in row.logits for row in (*lessons.rows, *lessons.unlabelled))
    assert all(("helpfulness" in row.logits) == (len(row.conversation) > 1) for row in lessons.rows)
    assert len(lessons.unlabelled) >= len(corpus.pairs)  # half of their sides


def test_the_lower_half_of_the_teacher_keeps_its_weights(tmp_path: Path) -> None:
    corpus = read_corpus(write_corpus(tmp_path))
    teacher = Teacher(_tiny_teacher(tmp_path / "teacher"))
    before = {name: weight.clone() for name, weight in teacher.state_dict().items()}

    learn_labels(teacher, corpus.rows, Progress(), seed=1)

    changed = {name for name, weight in teacher.state_dict().items() if not torch.equal(weight, before[name])}
    assert any("layer.3" in name for name in changed)
    assert not [name for name in changed if "embeddings" in name or any(f"layer.{at}." in name for at in range(3))]


def test_an_embedding_starts_from_the_teachers_words(tmp_path: Path) -> None:
    torch.manual_seed(1)
    teacher = Teacher(_tiny_teacher(tmp_path / "teacher"))
    network = TrainingNetwork(small_backbone(6, hidden=16, layers=2))

    start_from(network, teacher.word_vectors(["idiot", "garden", "idiot", "lovely", "hate", ""]))

    rows = network.backbone.embed_tokens.weight
    torch.testing.assert_close(rows[0], rows[2])
    assert not torch.equal(rows[0], rows[1])
    assert rows[5].abs().sum() > 0


def _tiny_teacher(folder: Path) -> Path:
    """Write files as the teacher's package has them: an encoder of four layers with random weights, and words."""
    words = "lovely thank you see tomorrow new shiny stupid idiot kill worthless loser hate garden where is the hall"
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words.split()])}
    words_alone = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words_alone.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words_alone.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(tokenizer_object=words_alone, sep_token="[SEP]").save_pretrained(folder)  # type: ignore[no-untyped-call]
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


class _Joint:
    """A joint stage on made-up rows, and a tiny network that learns in it."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(1)
        self.corpus = read_corpus(write_corpus(folder))
        texts = [turn.content for row in self.corpus.rows for turn in row.conversation]
        tokenizer = train_tokenizer(texts, vocabulary_size=400)
        self.encoder, self._vocabulary = Encoder(tokenizer), Vocabulary.of(tokenizer)
        self.network = TrainingNetwork(small_backbone(len(tokenizer), hidden=16, layers=2)).eval()
        exchanges = [Exchange(np.array([300, 301], np.int32), np.array([302], np.int32))] * 4
        self.relevance = RelevancePairs(exchanges, self._vocabulary, np.random.default_rng(1))

    def learn(self, epochs: int, *, has_learned: bool = False) -> None:
        rows, pairs = self.corpus.rows, self.corpus.pairs
        stage = JointStage(self.encoder, self._vocabulary, rows, [], pairs, self.relevance, seed=1)
        stage.learn(self.network, epochs, Progress(), save=lambda: None, has_learned=has_learned)


def test_the_joint_stage_lowers_the_loss(tmp_path: Path) -> None:
    joint = _Joint(tmp_path)
    ids = joint.encoder.encode([row.conversation for row in joint.corpus.rows])
    batch, targets = pad(ids, range(len(ids))), targets_of(joint.corpus.rows)
    before = label_loss(joint.network, batch, targets).item()

    learn_relevance(joint.network, joint.relevance, 2, Progress())
    joint.learn(12)

    assert label_loss(joint.network, batch, targets).item() < 0.9 * before


def test_a_network_that_has_learned_before_changes_less_in_as_many_steps(tmp_path: Path) -> None:
    before, new, learned = (_Joint(tmp_path) for _ in range(3))

    new.learn(4)
    learned.learn(4, has_learned=True)

    was, now, then = (joint.network.backbone.embed_tokens.weight for joint in (before, new, learned))
    assert 0 < (then - was).norm() < 0.85 * (now - was).norm()


def test_the_first_batch_of_each_epoch_is_penalized_for_differences_between_identity_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joint = _Joint(tmp_path)
    penalized: list[TrainingNetwork] = []

    def penalty(_: IdentityPhrases, network: TrainingNetwork) -> torch.Tensor:
        penalized.append(network)
        return network.logits.weight.abs().sum() * 1e6

    monkeypatch.setattr(IdentityPhrases, "penalty", penalty)
    before = joint.network.logits.weight.abs().sum()
    joint.learn(3)

    assert penalized == [joint.network] * 3
    assert joint.network.logits.weight.abs().sum() < before


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


def test_a_model_is_continued_from_its_own_words_and_weights(trained: _Trained, tmp_path: Path) -> None:
    start = str(trained.model)

    open_model = open_start(start)
    network = network_of(open_model)
    train(trained.data, tmp_path / "second", replace(trained.plan, start=start, vocabulary=300, hidden=64))

    first, second = (ArmoRM.from_pretrained(folder) for folder in (trained.model, tmp_path / "second"))
    text = [{"role": role, "content": content} for role, content in frame([("user", "you stupid garden idiot")])]
    encoded = Encoder(open_model.tokenizer).encode([[Turn("user", "you stupid garden idiot")]])
    torch.testing.assert_close(
        network.eval().rewards(network.last_hidden(pad(encoded, [0]))), first.score([text]).rewards, atol=1e-4, rtol=0
    )
    assert second.config.backbone.hidden_size == 16
    tokenizers = [(folder / "tokenizer.json").read_text() for folder in (trained.model, tmp_path / "second")]
    assert tokenizers[0] == tokenizers[1]
    assert first.fingerprint != second.fingerprint
    assert f"`moderator model train --from {start}`" in (tmp_path / "second" / "MODEL_CARD.md").read_text()


def test_before_a_continued_model_learns_the_logits_fit_its_states(
    trained: _Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[float, float, bool]] = []
    start = network_of(open_start(str(trained.model)))

    def slope(network: TrainingNetwork, stage: JointStage) -> float:
        ids = stage.encoder.encode([row.conversation for row in stage.rows])
        loss = entropy_loss(network.logits(start.last_hidden(pad(ids, range(len(ids))))), targets_of(stage.rows))
        [gradient] = torch.autograd.grad(loss, [network.logits.weight])
        return float(gradient.norm())

    def learn(stage: JointStage, network: TrainingNetwork, *_: object, has_learned: bool, **__: object) -> None:
        begun.append((slope(start, stage), slope(network, stage), has_learned))

    monkeypatch.setattr(JointStage, "learn", learn)
    train(trained.data, tmp_path / "second", replace(trained.plan, start=str(trained.model)))

    [(at_random, fitted, has_learned)] = begun
    assert fitted < 0.1 * at_random
    assert has_learned


def test_what_was_continued_lies_halfway_between_its_weights_before_and_after() -> None:
    before, after = (TrainingNetwork(small_backbone(6, hidden=16, layers=2)) for _ in range(2))
    wanted = (before.backbone.embed_tokens.weight + after.backbone.embed_tokens.weight) / 2

    move_halfway(after, before.backbone.state_dict())

    torch.testing.assert_close(after.backbone.embed_tokens.weight, wanted)


def test_a_model_with_other_objectives_is_not_continued(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="only one with the objectives beavertails-is_safe"):
        train(
            tmp_path,
            tmp_path / "model",
            replace(_tiny_plan(tmp_path), start=str(tiny_armorm.write_checkpoint(tmp_path / "a"))),
        )


def test_without_a_compiler_nothing_is_compiled_and_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match="install g\\+\\+, or train without it"):
        train(tmp_path, tmp_path / "model", replace(_tiny_plan(tmp_path), is_compiled=True))


def test_an_output_that_is_a_file_is_a_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")

    with pytest.raises(ConfigurationError, match="cannot write"):
        train(tmp_path, tmp_path / "model", _tiny_plan(tmp_path))
