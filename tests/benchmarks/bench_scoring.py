"""Packed scoring against one text at a time and against batches of 32 padded to the longest, on one CPU core.

Only ratios are worth anything: CPU time of interleaved rounds, the median of each. The last line of stdout is JSON;
exit code 1 when packing changes a score by more than 1e-5 or is slower than it may be.
"""

import json
import random
import statistics
import sys
import time
from pathlib import Path

import torch

from moderator.scoring.armorm import ArmoRM, ArmoRMModel, ArmoRMOutput
from moderator.scoring.checkpoint import Location
from moderator.scoring.config import ArmoRMConfig
from moderator.scoring.packing import plan_packs
from moderator.scoring.rendering import Renderer, Rendering
from tests import tiny_armorm

TEXTS = 64
ROUNDS = 3
BUDGET_TOKENS = 1024
PADDED_TEXTS = 32
MOST_DIFFERENCE = 1e-5
LEAST_OVER_ONE_BY_ONE = 0.95
LEAST_OVER_PADDED = 3.0


def a_model() -> ArmoRM:
    """Random weights, hidden 512, two layers."""
    fields = tiny_armorm.fields(
        hidden_size=512, intermediate_size=1408, num_attention_heads=8, num_key_value_heads=2, vocab_size=8192
    )
    config = ArmoRMConfig.from_fields(fields)
    torch.manual_seed(1)
    model = ArmoRMModel(config).requires_grad_(requires_grad=False)
    return ArmoRM(model, Renderer(tiny_armorm.tokenizer(), 4096), config, Location(Path(), "random"), "")


def chat_texts() -> list[Rendering]:
    """Chat lengths: lognormal, median 90, sigma 1, cut at 2,000 tokens; random ids."""
    chance = random.Random(1)
    lengths = [max(16, min(2000, round(chance.lognormvariate(4.5, 1.0)))) for _ in range(TEXTS)]
    return [
        Rendering(tuple(chance.randrange(8192) for _ in range(length)), length // 2, truncated=False)
        for length in lengths
    ]


def packed(armorm: ArmoRM, texts: list[Rendering]) -> torch.Tensor:
    packs = plan_packs([len(text.token_ids) for text in texts], BUDGET_TOKENS)
    return joined([armorm.score_pack(texts[pack.start : pack.stop]) for pack in packs])


def one_by_one(armorm: ArmoRM, texts: list[Rendering]) -> torch.Tensor:
    return joined([padded_pass(armorm, [text]) for text in texts])


def padded(armorm: ArmoRM, texts: list[Rendering]) -> torch.Tensor:
    batches = [texts[start : start + PADDED_TEXTS] for start in range(0, len(texts), PADDED_TEXTS)]
    return joined([padded_pass(armorm, batch) for batch in batches])


def padded_pass(armorm: ArmoRM, texts: list[Rendering]) -> ArmoRMOutput:
    longest = max(len(text.token_ids) for text in texts)
    rows = [[*text.token_ids, *[0] * (longest - len(text.token_ids))] for text in texts]
    gate_rows = torch.tensor([text.gate_row for text in texts])
    last_rows = torch.tensor([len(text.token_ids) - 1 for text in texts])
    with torch.inference_mode():
        output: ArmoRMOutput = armorm.model(torch.tensor(rows), gate_rows, last_rows)
    return output


def joined(outputs: list[ArmoRMOutput]) -> torch.Tensor:
    """(n, 2k + 1): rewards, weights, overall."""
    return torch.cat([torch.cat((part.rewards, part.weights, part.overall[:, None]), dim=1) for part in outputs])


def main() -> int:
    torch.set_num_threads(1)
    armorm, texts = a_model(), chat_texts()
    ways = {"packed": packed, "one_by_one": one_by_one, "padded_32": padded}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, torch.Tensor] = {}
    packed(armorm, texts[:8])  # first calls allocate
    for number in range(ROUNDS):
        for name, way in ways.items():
            started_s = time.process_time()
            scores[name] = way(armorm, texts)
            seconds[name].append(time.process_time() - started_s)
        print(f"round {number + 1} of {ROUNDS}", flush=True)
    median_s = {name: statistics.median(values) for name, values in seconds.items()}
    difference = (scores["packed"] - scores["one_by_one"]).abs().max().item()
    over_one_by_one = round(median_s["one_by_one"] / median_s["packed"], 2)
    over_padded = round(median_s["padded_32"] / median_s["packed"], 2)
    is_good = (
        difference <= MOST_DIFFERENCE and over_one_by_one >= LEAST_OVER_ONE_BY_ONE and over_padded >= LEAST_OVER_PADDED
    )
    result = {
        "benchmark": "scoring",
        "texts": TEXTS,
        "tokens": sum(len(text.token_ids) for text in texts),
        "rounds": ROUNDS,
        "max_difference": difference,
        "packed_over_one_by_one": over_one_by_one,
        "packed_over_padded_32": over_padded,
        "is_good": is_good,
    }
    print(json.dumps(result))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
