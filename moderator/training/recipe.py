"""A training run from beginning to end: teacher, tokenizer, relevance, joint stage, heads, checkpoint and card."""

import copy
import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import which

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.scoring.armorm.armorm import OpenArmoRM
from moderator.scoring.armorm.gating import GatingNetwork
from moderator.scoring.armorm.network import ArmoRMNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.saving import save_checkpoint
from moderator.scoring.rendering.content import readable
from moderator.scoring.rendering.event_reader import ReadingLimits
from moderator.training.data.corpus import Corpus, read_corpus
from moderator.training.data.phrases import OWN_PHRASES, read_phrases
from moderator.training.data.rows import OBJECTIVES
from moderator.training.evaluation.card import model_card
from moderator.training.evaluation.held_out import HeldOutReport, measure_held_out
from moderator.training.fitting.continued import fit_logits, move_halfway, network_of, open_start
from moderator.training.fitting.heads import fit_gate, fit_regression, pair_features
from moderator.training.fitting.joint import JointStage
from moderator.training.fitting.losses import targets_of
from moderator.training.fitting.relevance import Exchange, RelevancePairs, learn_relevance
from moderator.training.fitting.schedule import Progress
from moderator.training.fitting.training_network import TrainingNetwork, small_backbone
from moderator.training.fitting.word_embeddings import learn_word_embeddings, start_from
from moderator.training.teaching.lessons import Lessons, prepare_lessons
from moderator.training.teaching.teacher import teacher_files
from moderator.training.text.batches import read_in_order
from moderator.training.text.encoding import HEADER_TOKENS, Encoder, Vocabulary
from moderator.training.text.tokenizer import train_tokenizer

_TEACHER_SHARE = 0.2
_RELEVANCE_SHARE = 0.15
_JOINT_SHARE = 0.65
_RIDGE_ROWS = 30_000
_EXCHANGES = 20_000
READING = ReadingLimits(passage_tokens=96, max_passages=64, message_turns=0, reply_turns=1)
"""Of 32, 48, 64 and 96 tokens 96 finds the most in long held-out messages at the same false alarms; turns before a
message make kind messages after insults look bad."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to train.

    Attributes:
        epochs: passes over the rows in the joint stage, above 0.
        minutes: the teacher and both stages end early after this time; None: no limit.
        relevance_steps: batches of the first stage.
        gate_steps: batches of the last stage.
        vocabulary: tokens of the tokenizer, including special ones.
        hidden: width of the backbone.
        phrases: the project's own rows, added to the data's.
        teacher: folder with the teacher's files; None: no teacher.
        start: a checkpoint to continue, with its vocabulary and size; None: random weights.
        is_compiled: whether the backbone is compiled, which takes a minute or two and a C++ compiler.
    """

    epochs: float = 3.0
    minutes: float | None = None
    seed: int = 1
    relevance_steps: int = 1_500
    gate_steps: int = 800
    vocabulary: int = 8_192
    hidden: int = 192
    layers: int = 4
    phrases: Path = OWN_PHRASES
    teacher: Path | None = field(default_factory=teacher_files)
    start: str | None = None
    is_compiled: bool = False


def train(data: Path, output: Path, plan: Plan) -> HeldOutReport:
    """Train on the files in `data` and write a checkpoint folder with its model card to `output`.

    Raises:
        ConfigurationError: a file of `data` is missing or invalid, `output` cannot be written, `plan.start` cannot be
            continued, or there is no compiler.
    """
    started_s = time.monotonic()
    if plan.is_compiled:
        _require_compiler()
    start = None if plan.start is None else open_start(plan.start)
    _make_folder(output)
    corpus = read_corpus(data, read_phrases(plan.phrases))
    print(f"read {len(corpus.rows)} rows, {len(corpus.held_out)} held out, {len(corpus.pairs)} pairs", flush=True)
    torch.manual_seed(plan.seed)
    # a CPU computes very slowly with denormal numbers
    torch.set_flush_denormal(True)
    lessons = prepare_lessons(corpus, plan.teacher, Progress(_limit_s(plan, _TEACHER_SHARE)), plan.seed)
    run = _Run.prepare(corpus, lessons, output, plan, start)
    run.learn()
    run.fit_heads()
    return run.report(minutes=(time.monotonic() - started_s) / 60)


def _require_compiler() -> None:
    if not any(which(name) for name in (os.environ.get("CXX", "g++"), "clang++")):
        raise ConfigurationError("`--compiled` needs a C++ compiler: install g++, or train without it")


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write to `{output}`: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class _Run:
    """One training run: its data, what it makes, and where it saves that."""

    corpus: Corpus
    lessons: Lessons
    plan: Plan
    output: Path
    tokenizer: PreTrainedTokenizerFast
    encoder: Encoder
    config: ArmoRMConfig
    network: TrainingNetwork

    @classmethod
    def prepare(cls, corpus: Corpus, lessons: Lessons, output: Path, plan: Plan, start: OpenArmoRM | None) -> "_Run":
        """Train the tokenizer and make a network with random weights, or take both from the checkpoint to continue."""
        if start is None:
            tokenizer = train_tokenizer(_texts(corpus), vocabulary_size=plan.vocabulary)
            config = _config(len(tokenizer), plan)
            # a copy: `ArmoRMNetwork` sets packed attention in its own, which has no backward pass
            network = TrainingNetwork(copy.deepcopy(config.backbone))
        else:
            tokenizer, config, network = start.tokenizer, start.config, network_of(start)
        if plan.is_compiled:
            network.compile_backbone()
        return cls(corpus, lessons, plan, output, tokenizer, Encoder(tokenizer), config, network)

    def learn(self) -> None:
        """Train embedding, backbone and rewards, stage after stage."""
        plan, vocabulary = self.plan, Vocabulary.of(self.tokenizer)
        relevance = RelevancePairs(self._exchanges(), vocabulary, self._random())
        lessons = self.lessons
        joint = JointStage(
            self.encoder, vocabulary, lessons.rows, lessons.unlabelled, self.corpus.pairs, relevance, plan.seed
        )
        has_learned = plan.start is not None
        before = copy.deepcopy(self.network.backbone.state_dict()) if has_learned else {}
        if has_learned:
            fit_logits(self.network, self.encoder, lessons.rows, self._random())
        else:
            self._learn_beginnings(joint, relevance)
        limit = Progress(_limit_s(plan, _JOINT_SHARE + _RELEVANCE_SHARE * has_learned))
        save = partial(self._save, GatingNetwork(self.config))
        joint.learn(self.network, plan.epochs, limit, save, has_learned=has_learned)
        if has_learned:
            move_halfway(self.network, before)
        self.network.eval()

    def _learn_beginnings(self, joint: JointStage, relevance: RelevancePairs) -> None:
        """Start the embedding, and learn what belongs together."""
        if (teacher := self.lessons.teacher) is None:
            learn_word_embeddings(self.network, *joint.draw(epoch=0), self._random())
        else:
            start_from(self.network, teacher.word_vectors(self._words()))
        limit = Progress(_limit_s(self.plan, _RELEVANCE_SHARE))
        learn_relevance(self.network, relevance, self.plan.relevance_steps, limit)

    def fit_heads(self) -> None:
        """Fit rewards and gate on the frozen backbone, as ArmoRM's two stages do, and save the checkpoint."""
        drawn = self._random().permutation(len(self.corpus.rows))[:_RIDGE_ROWS]
        rows = [self.corpus.rows[at] for at in drawn]
        hidden = read_in_order(self.encoder.encode([row.conversation for row in rows]), self.network.last_hidden)
        with torch.no_grad():
            self.network.rewards.weight.copy_(fit_regression(hidden, targets_of(rows)))
        features = pair_features(self.network, self.encoder, self.corpus.pairs)
        self._save(fit_gate(self.config, features, self.plan.gate_steps, self._random()))

    def report(self, minutes: float) -> HeldOutReport:
        """Measure the checkpoint on the held-out rows, and write its model card."""
        report = measure_held_out(self.network, self.encoder, self.corpus, self.lessons.teacher_auc, self.plan.seed)
        card = model_card(report, self.config.backbone, self.corpus.licences, minutes, self.plan.start)
        (self.output / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        return report

    def _words(self) -> list[str]:
        """Return the text of each token, empty for special ones."""
        return [str(self.tokenizer.decode([token], skip_special_tokens=True)) for token in range(len(self.tokenizer))]

    def _exchanges(self) -> list[Exchange]:
        """Take prompt and answer, without the template's tokens, from some of the real exchanges."""
        every = max(1, len(self.corpus.relevance) // _EXCHANGES)
        exchanges = []
        for rendering in self.encoder.render([row.conversation for row in self.corpus.relevance[::every]]):
            ids = np.array(rendering.token_ids, dtype=np.int32)
            prompt = ids[1 + HEADER_TOKENS : rendering.gate_row]
            exchanges.append(Exchange(prompt, ids[rendering.gate_row + 1 + HEADER_TOKENS : -1]))
        return exchanges

    def _save(self, gate: GatingNetwork) -> None:
        """Save the parts as an ArmoRM: backbone in float16, heads in float32, the identity as transform."""
        model = ArmoRMNetwork(self.config)
        model.model.load_state_dict(self.network.backbone.state_dict())
        for parameter in model.model.parameters():
            parameter.data = parameter.data.half()
        model.regression_layer.load_state_dict(self.network.rewards.state_dict())
        model.gating.load_state_dict(gate.state_dict())
        save_checkpoint(self.output, model, self.tokenizer, self.config, READING)

    def _random(self) -> np.random.Generator:
        return np.random.default_rng(self.plan.seed)


def _limit_s(plan: Plan, share: float) -> float | None:
    return None if plan.minutes is None else plan.minutes * 60 * share


def _texts(corpus: Corpus) -> list[str]:
    return [readable(turn.content).text for row in (*corpus.rows, *corpus.relevance) for turn in row.conversation]


def _config(vocabulary_size: int, plan: Plan) -> ArmoRMConfig:
    return ArmoRMConfig(
        backbone=small_backbone(vocabulary_size, hidden=plan.hidden, layers=plan.layers),
        objectives=OBJECTIVES,
        gating_temperature=10.0,
        gating_hidden_dim=64,
        gating_n_hidden=3,
    )
