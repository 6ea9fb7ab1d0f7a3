"""Packed scoring against the ways it is done elsewhere, on one CPU core, float32.

- one by one: transformers' own LlamaModel, a text at a time;
- padded 32: the same, batches of 32 in order of arrival, padded to the longest, with a mask, as reward-bench does it;
- sorted: texts by length, padded without a mask under the packs' token budget (what devices without packing use);
- packed: what the engine does;
- backlogs of 5 and 10 replies to a conversation: packed with shared prefixes, against every reply packed by itself;
- encoders (BERT, DeBERTa) in the engine's passes, sorted by length and padded, and a guard in its packs: each against
  transformers alone, one by one and in padded batches of 32. Texts of at most 512 tokens, half as many.

Only ratios are worth anything: CPU time, the ways in turn, a new order of arrival each round, the median of the
rounds' ratios. The last line of stdout is JSON; exit code 1 when a bound is missed or packing changes a score.
"""

import argparse
import copy
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaModel

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.armorm.network import ArmoRMNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.location import Location
from moderator.scoring.packing import Layout, Text, gather, plan_packs
from moderator.scoring.rendering.llama3 import Llama3Renderer
from tests.benchmarks.family_contests import FAMILIES, MOST_TOKENS, FamilyContest, a_family_contest
from tests.benchmarks.mix import Sample, backlog, chats, padding_ratio
from tests.models import tiny_armorm
from tests.models.tiny_tokenizers import armorm_tokenizer

VOCABULARY = 8_192
BUDGET_TOKENS = 1_024
PADDED_TEXTS = 32
MOST_DIFFERENCE = 1e-5
BOUNDS = {
    "packed_over_one_by_one": 1.05,
    "packed_over_padded_32": 5.5,
    "chains_over_alone_5": 2.5,
    "chains_over_alone_10": 4.0,
    "bert_over_one_by_one": 0.85,
    "bert_over_padded_32": 2.5,
    "deberta_v2_over_one_by_one": 1.0,
    "deberta_v2_over_padded_32": 4.0,
    "guard_over_one_by_one": 1.0,
    "guard_over_padded_32": 3.0,
}

Way = Callable[[list[Sample]], torch.Tensor]
"""Gives (n, 2k) scores in the order given."""


@dataclass(frozen=True, slots=True)
class Contest:
    """One model under our attention and, with the same weights, under transformers' own."""

    armorm: ArmoRM
    plain: LlamaModel

    def packed(self, samples: list[Sample]) -> torch.Tensor:
        return self._scored(gather(samples, self.armorm.layout))

    def alone(self, samples: list[Sample]) -> torch.Tensor:
        """Packed, every text by itself."""
        return self._scored(gather(samples, Layout(shares_prefixes=False)))

    def one_by_one(self, samples: list[Sample]) -> torch.Tensor:
        return torch.cat([self._pass([sample], with_mask=False) for sample in samples])

    def padded_32(self, samples: list[Sample]) -> torch.Tensor:
        starts = range(0, len(samples), PADDED_TEXTS)
        return torch.cat([self._pass(samples[at : at + PADDED_TEXTS], with_mask=True) for at in starts])

    def by_length(self, samples: list[Sample]) -> torch.Tensor:
        order = sorted(range(len(samples)), key=lambda at: len(samples[at].token_ids))
        ordered = [samples[at] for at in order]
        packs = plan_packs([len(sample.token_ids) for sample in ordered], BUDGET_TOKENS, is_padded=True)
        rows = [self._pass(ordered[pack.start : pack.stop], with_mask=False) for pack in packs]
        return torch.cat(rows)[torch.tensor(order).argsort()]

    def _scored(self, texts: list[Text]) -> torch.Tensor:
        packs = plan_packs([len(text.token_ids) for text in texts], BUDGET_TOKENS)
        rows = torch.cat([self.armorm.forward(texts[pack.start : pack.stop]) for pack in packs])
        return rows[torch.tensor([read.prompt for text in texts for read in text.reads]).argsort()]

    @torch.inference_mode()
    def _pass(self, samples: Sequence[Sample], *, with_mask: bool) -> torch.Tensor:
        """Score with transformers alone: its model and attention, then our heads."""
        lengths = torch.tensor([len(sample.token_ids) for sample in samples])
        longest = int(lengths.max())
        ids = torch.tensor([[*sample.token_ids, *[0] * (longest - len(sample.token_ids))] for sample in samples])
        mask = (torch.arange(longest) < lengths[:, None]).long() if with_mask else None
        hidden = self.plain(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        rows, gates = torch.arange(len(samples)), torch.tensor([sample.gate_row for sample in samples])
        output = self.armorm.network.read_out(hidden[rows, gates], hidden[rows, lengths - 1])
        return torch.cat((output.rewards, output.weights), dim=1)


def a_contest(hidden: int, layers: int) -> Contest:
    """Random weights in Llama-3's proportions."""
    fields = tiny_armorm.fields(
        hidden_size=hidden,
        intermediate_size=hidden * 7 // 2,
        num_attention_heads=hidden // 64,
        num_key_value_heads=max(1, hidden // 256),
        num_hidden_layers=layers,
        vocab_size=VOCABULARY,
    )
    config = ArmoRMConfig.from_fields(fields)
    torch.manual_seed(1)
    model = ArmoRMNetwork(config).requires_grad_(requires_grad=False)
    backbone = copy.deepcopy(config.backbone)
    backbone._attn_implementation = "sdpa"
    plain = LlamaModel(backbone)
    plain.load_state_dict(model.model.state_dict(), assign=True)
    renderer = Llama3Renderer(armorm_tokenizer(), 4_096)
    return Contest(ArmoRM(model, renderer, config, Location(Path(), "random"), ""), plain)


def cpu_s(ways: dict[str, Way], samples: list[Sample]) -> dict[str, float]:
    """CPU seconds of each way over the same samples; all give the same scores."""
    seconds: dict[str, float] = {}
    scores: dict[str, torch.Tensor] = {}
    for name, way in ways.items():
        started_s = time.process_time()
        scores[name] = way(samples)
        seconds[name] = time.process_time() - started_s
    first = next(iter(scores.values()))
    difference = max((other - first).abs().max().item() for other in scores.values())
    return {**seconds, "difference": difference}


def family_round(family: str, contest: FamilyContest, texts: int, chance: random.Random) -> dict[str, float]:
    """How many times as long transformers alone takes, and the greatest difference."""
    drawn = chats(texts, contest.vocabulary, chance)
    samples = [Sample(sample.token_ids[:MOST_TOKENS], sample.gate_row) for sample in drawn]
    ways: dict[str, Way] = {
        "ours": lambda given: contest.ours(given, BUDGET_TOKENS),
        "one_by_one": lambda given: contest.plainly(given, 1),
        "padded_32": lambda given: contest.plainly(given, PADDED_TEXTS),
    }
    seconds = cpu_s(ways, samples)
    name = family.replace("-", "_")
    found = {f"{name}_over_{way}": seconds[way] / seconds["ours"] for way in ("one_by_one", "padded_32")}
    return {**found, "difference": seconds["difference"]}


def run(texts: int, hidden: int, layers: int, rounds: int) -> dict[str, object]:
    contest, chance = a_contest(hidden, layers), random.Random(1)
    contest.packed(chats(8, VOCABULARY, chance))  # first calls allocate
    chat_ways: dict[str, Way] = {
        "packed": contest.packed,
        "one_by_one": contest.one_by_one,
        "sorted": contest.by_length,
        "padded_32": contest.padded_32,
    }
    families = {family: a_family_contest(family, hidden, layers) for family in FAMILIES}
    chain_ways: dict[str, Way] = {"chains": contest.packed, "alone": contest.alone}
    ratios: dict[str, list[float]] = {}
    differences, paddings = [], []
    for number in range(rounds):
        samples = chats(texts, VOCABULARY, chance)
        seconds = cpu_s(chat_ways, samples)
        paddings.append(padding_ratio(samples, PADDED_TEXTS))
        differences.append(seconds["difference"])
        for name in ("one_by_one", "sorted", "padded_32"):
            ratios.setdefault(f"packed_over_{name}", []).append(seconds[name] / seconds["packed"])
        for replies in (5, 10):
            seconds = cpu_s(chain_ways, backlog(max(2, texts // 32) * 10 // replies, replies, VOCABULARY, chance))
            differences.append(seconds["difference"])
            ratios.setdefault(f"chains_over_alone_{replies}", []).append(seconds["alone"] / seconds["chains"])
        for family, its_contest in families.items():
            found = family_round(family, its_contest, texts // 2, chance)
            differences.append(found.pop("difference"))
            for name, ratio in found.items():
                ratios.setdefault(name, []).append(ratio)
        print(f"round {number + 1} of {rounds}", flush=True)
    return {
        "benchmark": "scoring",
        "model": {"hidden": hidden, "layers": layers, "dtype": "float32"},
        "texts": texts,
        "tokens": sum(len(sample.token_ids) for sample in samples),
        "rounds": rounds,
        "padded_32_tokens_per_useful_token": round(statistics.mean(paddings), 2),
        "max_difference": max(differences),
        "ratios": {name: [round(each, 2) for each in sorted(values)] for name, values in ratios.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = run(arguments.texts, arguments.hidden, arguments.layers, arguments.rounds)
    ratios: dict[str, list[float]] = result["ratios"]  # type: ignore[assignment]
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    print(f"\n{'ratio of CPU time':<28}{'median':>8}{'least':>8}{'most':>8}{'bound':>8}")
    for name, values in ratios.items():
        print(f"{name:<28}{medians[name]:>8.2f}{values[0]:>8.2f}{values[-1]:>8.2f}{BOUNDS.get(name, '-'):>8}")
    missed = [name for name, bound in BOUNDS.items() if medians[name] < bound]
    if result["max_difference"] > MOST_DIFFERENCE:  # type: ignore[operator]
        missed.append("max_difference")
    print(json.dumps({**result, "medians": medians, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
