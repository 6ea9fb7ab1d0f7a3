"""A small decoder classifier against the two ways in which a plain program would run it, on one CPU core, float32.

- one by one: transformers' own network, a text at a time;
- sorted: 256 texts sorted by length, padded batches of 32 with a mask;
- packed: what the engine does, with and without the last layer's MLP over the rows that are read alone.

Two mixes of lengths: short chat (lognormal, median 15 tokens) and long (median 90). CPU time, the ways in turn; medians
of the rounds' ratios. The last line is JSON; exit code 1 when a bound is missed or a way changes a score.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification

from moderator.scoring.classifier.classifier import Classifier
from moderator.scoring.opening import open_model
from moderator.scoring.packing import gather, plan_packs
from tests.benchmarks.mix import Sample, lognormal_lengths
from tests.models import tiny_classifiers

TEXTS = 256
BATCH = 32
VOCABULARY = 256
BUDGET_TOKENS = 1_024
MOST_DIFFERENCE = 1e-5
MIXES = {"short": (15, 0.7), "long": (90, 1.0)}
BOUNDS = {"one_by_one": 1.3, "sorted": 1.1}

Way = Callable[[Sequence[Sample]], torch.Tensor]
"""Gives (n,) logits in the order given."""


class Plain:
    """transformers' own network."""

    def __init__(self, folder: Path) -> None:
        self._network = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="sdpa").eval()
        self._network.config.pad_token_id = 0

    @torch.inference_mode()
    def one_by_one(self, samples: Sequence[Sample]) -> torch.Tensor:
        return torch.cat([self._network(input_ids=torch.tensor([each.token_ids])).logits[0] for each in samples])

    @torch.inference_mode()
    def by_length(self, samples: Sequence[Sample]) -> torch.Tensor:
        order = sorted(range(len(samples)), key=lambda at: len(samples[at].token_ids))
        rows = [self._batch([samples[at] for at in order[start : start + BATCH]]) for start in range(0, TEXTS, BATCH)]
        return torch.cat(rows)[torch.tensor(order).argsort()]

    def _batch(self, samples: Sequence[Sample]) -> torch.Tensor:
        lengths = torch.tensor([len(each.token_ids) for each in samples])
        longest = int(lengths.max())
        ids = torch.tensor([[*each.token_ids, *[0] * (longest - len(each.token_ids))] for each in samples])
        mask = (torch.arange(longest) < lengths[:, None]).long()
        logits: torch.Tensor = self._network(input_ids=ids, attention_mask=mask).logits
        return logits[:, 0]


def arriving(median: float, sigma: float, chance: random.Random) -> list[Sample]:
    """Texts of random ids in a random order, of 4 tokens and more, without the padding's."""
    lengths = lognormal_lengths(TEXTS, median=median, sigma=sigma, least=4)
    chance.shuffle(lengths)
    return [Sample(tuple(chance.choices(range(1, VOCABULARY), k=length)), 0) for length in lengths]


def packed(classifier: Classifier) -> Way:
    def score(samples: Sequence[Sample]) -> torch.Tensor:
        texts = gather(samples, classifier.layout)
        packs = plan_packs([len(text.token_ids) for text in texts], BUDGET_TOKENS)
        rows = torch.cat([classifier.forward(texts[pack.start : pack.stop])[:, 0] for pack in packs])
        return rows[torch.tensor([read.prompt for text in texts for read in text.reads]).argsort()]

    return score


def untrimmed(classifier: Classifier) -> Classifier:
    """Give the last layer its own `forward` back."""
    del classifier._network.get_submodule("model").layers[-1].forward  # type: ignore[index, union-attr]
    return classifier


def a_folder(hidden: int, layers: int) -> Path:
    folder = Path(tempfile.mkdtemp())
    return tiny_classifiers.write_classifier(
        folder,
        "llama",
        hidden_size=hidden,
        intermediate_size=hidden * 7 // 2,
        num_attention_heads=hidden // 64,
        num_key_value_heads=max(1, hidden // 256),
        num_hidden_layers=layers,
        max_position_embeddings=2_048,
        initializer_range=0.02,
    )


def a_classifier(folder: Path) -> Classifier:
    classifier = open_model(folder).load("float32", torch.device("cpu"))
    assert isinstance(classifier, Classifier)
    return classifier


def run(hidden: int, layers: int, rounds: int) -> dict[str, object]:
    folder = a_folder(hidden, layers)
    plain = Plain(folder)
    ways: dict[str, Way] = {
        "packed": packed(a_classifier(folder)),
        "one_by_one": plain.one_by_one,
        "sorted": plain.by_length,
        "untrimmed": packed(untrimmed(a_classifier(folder))),
    }
    chance = random.Random(1)
    ratios: dict[str, list[float]] = {}
    difference = 0.0
    for number in range(rounds + 1):
        for mix, (median, sigma) in MIXES.items():
            samples = arriving(median, sigma, chance)
            seconds, scores = {}, {}
            for name, way in ways.items():
                began_s = time.process_time()
                scores[name] = way(samples)
                seconds[name] = time.process_time() - began_s
            difference = max(difference, *((each - scores["packed"]).abs().max().item() for each in scores.values()))
            if number:  # first calls allocate
                for name in ("one_by_one", "sorted", "untrimmed"):
                    ratios.setdefault(f"{mix}, {name}", []).append(seconds[name] / seconds["packed"])
        print(f"round {number} of {rounds}", flush=True)
    return {
        "benchmark": "classifier",
        "model": {"hidden": hidden, "layers": layers, "dtype": "float32"},
        "max_difference": difference,
        "ratios": {name: [round(each, 2) for each in sorted(values)] for name, values in ratios.items()},
        "medians": {name: round(statistics.median(values), 2) for name, values in ratios.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = run(arguments.hidden, arguments.layers, arguments.rounds)
    medians: dict[str, float] = result["medians"]  # type: ignore[assignment]
    missed = [f"{mix}, {name}" for mix in MIXES for name, bound in BOUNDS.items() if medians[f"{mix}, {name}"] < bound]
    if result["max_difference"] > MOST_DIFFERENCE:  # type: ignore[operator]
        missed.append("max_difference")
    print(json.dumps({**result, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
