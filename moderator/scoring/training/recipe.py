"""The whole training run: tokenizer, relevance, joint stage, heads, checkpoint, report and card."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from moderator.errors import ConfigurationError
from moderator.scoring.armorm import ArmoRMModel, GatingNetwork
from moderator.scoring.checkpoint import save_checkpoint
from moderator.scoring.config import ArmoRMConfig
from moderator.scoring.training.batches import read_in_order
from moderator.scoring.training.card import model_card
from moderator.scoring.training.corpus import Corpus, read_corpus
from moderator.scoring.training.encoding import HEADER_TOKENS, Encoder, Vocabulary
from moderator.scoring.training.heads import fit_gate, fit_regression, pair_features
from moderator.scoring.training.joint import JointStage
from moderator.scoring.training.losses import targets_of
from moderator.scoring.training.network import Network, small_backbone
from moderator.scoring.training.phrases import OWN_PHRASES, read_phrases
from moderator.scoring.training.relevance import Exchange, RelevancePairs, learn_relevance
from moderator.scoring.training.report import Report, measure
from moderator.scoring.training.rows import OBJECTIVES, Row
from moderator.scoring.training.schedule import Progress
from moderator.scoring.training.tokenizer import train_tokenizer
from moderator.scoring.training.words import learn_words

_RELEVANCE_SHARE = 0.2
_JOINT_SHARE = 0.8
_RIDGE_ROWS = 30_000
_EXCHANGES = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to train.

    Attributes:
        epochs: passes over the rows in the joint stage, above 0.
        minutes: both stages end early when they have taken this long; None: as long as they need.
        relevance_steps: batches of the first stage.
        vocabulary: tokens of the tokenizer, special ones included.
        hidden: width of the backbone.
        phrases: the project's own rows, added to the data's.
    """

    epochs: float = 3.0
    minutes: float | None = None
    seed: int = 1
    relevance_steps: int = 1_000
    vocabulary: int = 8_192
    hidden: int = 128
    layers: int = 3
    phrases: Path = OWN_PHRASES


def train(data: Path, output: Path, plan: Plan) -> Report:
    """Train on the files in `data` and write a checkpoint folder with its model card to `output`.

    Raises:
        ConfigurationError: a file of `data` is absent or wrong, or `output` cannot be written.
    """
    started_s = time.monotonic()
    _make_folder(output)
    corpus = read_corpus(data, read_phrases(plan.phrases))
    print(f"read {len(corpus.rows)} rows, {len(corpus.held_out)} held out, {len(corpus.pairs)} pairs", flush=True)
    torch.manual_seed(plan.seed)
    # values too small to matter make a CPU crawl
    torch.set_flush_denormal(True)
    tokenizer = train_tokenizer(_texts(corpus), vocabulary_size=plan.vocabulary)
    encoder, vocabulary = Encoder(tokenizer), Vocabulary.of(tokenizer)
    config = _config(len(tokenizer), plan)
    network = Network(small_backbone(len(tokenizer), hidden=plan.hidden, layers=plan.layers))

    relevance = RelevancePairs(_exchanges(corpus, encoder), vocabulary, np.random.default_rng(plan.seed))
    stage = JointStage(encoder, vocabulary, corpus.rows, corpus.pairs, relevance, plan.seed)
    learn_words(network, *stage.draw(epoch=0), np.random.default_rng(plan.seed))
    learn_relevance(network, relevance, plan.relevance_steps, Progress(_limit_s(plan, _RELEVANCE_SHARE)))

    def save(gate: GatingNetwork) -> None:
        save_checkpoint(output, _assemble(network, gate, config), tokenizer, config)

    limit = Progress(_limit_s(plan, _JOINT_SHARE))
    stage.learn(network, plan.epochs, limit, save=lambda: save(GatingNetwork(config)))

    network.eval()
    _fit_rewards(network, encoder, corpus, plan.seed)
    gate = fit_gate(config, pair_features(network, encoder, corpus.pairs), np.random.default_rng(plan.seed))
    save(gate)
    report = measure(network, encoder, corpus, plan.seed)
    card = model_card(report, corpus.licences, minutes=(time.monotonic() - started_s) / 60)
    (output / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    return report


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write to `{output}`: {error.strerror}") from None


def _limit_s(plan: Plan, share: float) -> float | None:
    return None if plan.minutes is None else plan.minutes * 60 * share


def _texts(corpus: Corpus) -> list[str]:
    return [turn.content for row in (*corpus.rows, *corpus.relevance) for turn in row.conversation]


def _exchanges(corpus: Corpus, encoder: Encoder) -> list[Exchange]:
    """Take prompt and answer, without template, from the real exchanges."""
    exchanges = []
    some = corpus.relevance[:: max(1, len(corpus.relevance) // _EXCHANGES)]
    for rendering in encoder.render([row.conversation for row in some]):
        ids = np.array(rendering.token_ids, dtype=np.int32)
        header = HEADER_TOKENS
        exchanges.append(Exchange(ids[1 + header : rendering.gate_row], ids[rendering.gate_row + 1 + header : -1]))
    return exchanges


def _fit_rewards(network: Network, encoder: Encoder, corpus: Corpus, seed: int) -> None:
    """Stage 1 of ArmoRM: replace the learnt linear rewards by the best ones for the frozen backbone."""
    drawn = np.random.default_rng(seed).permutation(len(corpus.rows))[:_RIDGE_ROWS]
    rows: list[Row] = [corpus.rows[at] for at in drawn]
    hidden = read_in_order(encoder.encode([row.conversation for row in rows]), network.last_hidden)
    with torch.no_grad():
        network.rewards.weight.copy_(fit_regression(hidden, targets_of(rows)))


def _assemble(network: Network, gate: GatingNetwork, config: ArmoRMConfig) -> ArmoRMModel:
    """Put the parts under ArmoRM's names: backbone in float16, heads in float32, transform the identity."""
    model = ArmoRMModel(config)
    model.model.load_state_dict(network.backbone.state_dict())
    for parameter in model.model.parameters():
        parameter.data = parameter.data.half()
    model.regression_layer.load_state_dict(network.rewards.state_dict())
    model.gating.load_state_dict(gate.state_dict())
    return model


def _config(vocabulary_size: int, plan: Plan) -> ArmoRMConfig:
    return ArmoRMConfig(
        backbone=small_backbone(vocabulary_size, hidden=plan.hidden, layers=plan.layers),
        objectives=OBJECTIVES,
        gating_temperature=10.0,
        gating_hidden_dim=64,
        gating_n_hidden=3,
    )
