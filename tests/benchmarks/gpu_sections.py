"""The sections of the GPU benchmark: each measures one thing on the rig and returns its figures."""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.packing import Layout, Read, Text, gather
from moderator.scoring.runtime.attention import packed_attention
from tests.benchmarks.gpu_rig import Rig, Way
from tests.benchmarks.mix import Sample, backlog, chats

ENOUGH_OF_BEST = 0.97
MOST_ROUNDS = 5
Section = Callable[["Bench"], dict[str, Any]]


class Bench:
    """The rig, how much is scored, and the time that is left to a section."""

    def __init__(self, rig: Rig, *, scale: float) -> None:
        self.rig = rig
        self.scale = scale
        self.chance = random.Random(1)
        self.until_s = 0.0
        self.results: dict[str, Any] = {}

    def count(self, at_full_size: int) -> int:
        return max(4, round(at_full_size * self.scale))

    def chats(self, at_full_size: int, **mix: float) -> list[Sample]:
        return chats(self.count(at_full_size), self.rig.size.vocabulary, self.chance, **mix)

    def has_time_for(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self.until_s

    def rate(self, way: Way, samples: Sequence[Sample]) -> float:
        """Useful tokens a second."""
        return sum(len(sample.token_ids) for sample in samples) / self.rig.seconds(lambda: way(samples))


def ceiling(bench: Bench) -> dict[str, Any]:
    """Tokens a second if a pass were its matrix products alone, at several pack sizes, and copy bandwidth.

    All products for all rows: what a packed pass saves of them (the last MLP, 2.4 % of 32 layers) counts as speed.
    """
    rig, rates = bench.rig, {}
    for rows in (256, 1_024, 4_096, 8_192, 32_768):
        rows = max(8, round(rows * min(1.0, bench.scale * 4)))  # noqa: PLW2901 - toy sizes for toys
        layer_s = sum(_product_s(rig, rows, *shape) for shape in rig.size.linears)
        rates[rows] = rows / (layer_s * rig.size.layers)
    flops = 2 * sum(n_in * n_out for n_in, n_out in rig.size.linears) * rig.size.layers
    source = torch.empty(round(2**32 * min(1.0, bench.scale)) // 2, dtype=torch.bfloat16, device=rig.device).normal_()
    target = torch.empty_like(source)
    copy_s = statistics.median(rig.seconds(lambda: target.copy_(source)) for _ in range(5))
    return {
        "tokens_per_s": {rows: round(rate) for rows, rate in rates.items()},
        "best_tokens_per_s": round(max(rates.values())),
        "best_tflops": round(max(rates.values()) * flops / 1e12, 1),
        "copy_tb_per_s": round(2 * source.nbytes / copy_s / 1e12, 3),
    }


def _product_s(rig: Rig, rows: int, n_in: int, n_out: int) -> float:
    left = torch.randn(rows, n_in, device=rig.device, dtype=rig.dtype)
    weights = [torch.randn(n_out, n_in, device=rig.device, dtype=rig.dtype) for _ in range(4)]  # beyond the caches

    def multiply() -> None:
        for weight in weights:
            torch.nn.functional.linear(left, weight)

    multiply()
    return statistics.median(rig.seconds(multiply) for _ in range(7)) / len(weights)


def gate(bench: Bench) -> dict[str, Any]:
    """Packed against alone, compiled against eager, and grouped-query attention against a masked reference."""
    rig, probes = bench.rig, bench.chats(64)
    together = rig.packed(rig.eager)(probes)
    alone = torch.cat([rig.packed(rig.eager)([probe]) for probe in probes])
    started_s = time.monotonic()
    for text in ([Text((1,), (Read(0, 0, 0),))], gather(probes, Layout())):
        rig.compiled.forward(text)
    rig.synchronize()
    compile_s = time.monotonic() - started_s
    compiled = rig.packed(rig.compiled)(probes)
    found = {
        "packed_vs_alone": _distance(together, alone),
        "compiled_vs_eager": _distance(compiled, together),
        "attention_vs_reference": _attention_error(rig),
    }
    # texts that see each other are off by more than 1; bfloat16 through 32 layers by a few hundredths
    most = (1e-5, 1e-5, 1e-5) if rig.dtype is torch.float32 else (0.25, 0.25, 0.01)
    is_good = all(error <= limit for error, limit in zip(found.values(), most, strict=True))
    return {**found, "compile_s": round(compile_s, 1), "is_good": is_good}


def _distance(scores: torch.Tensor, reference: torch.Tensor) -> float:
    """Root mean square of the rewards' difference over their spread; NaN, which passes no limit, if one is NaN."""
    rewards, wanted = (each[:, : each.shape[1] // 2].double() for each in (scores, reference))
    return float((rewards - wanted).norm() / (wanted - wanted.mean(dim=0)).norm())


def _attention_error(rig: Rig) -> float:
    """Relative error of the packed op with grouped heads against float64 with an explicit mask."""
    size, lengths = rig.size, [1, 5, 64, 300, 129]
    width = size.hidden // size.heads
    shapes = [(sum(lengths), heads, width) for heads in (size.heads, size.key_heads, size.key_heads)]
    query, key, value = (torch.randn(shape, device=rig.device, dtype=rig.dtype) for shape in shapes)
    ends = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], dtype=torch.int32, device=rig.device)
    out = packed_attention(query, key, value, ends, 512, width**-0.5).double()
    of_text = torch.repeat_interleave(torch.tensor(lengths, device=rig.device))
    mask = (of_text[:, None] == of_text[None]).tril()
    q, k, v = (tensor.double().transpose(0, 1) for tensor in (query, key, value))
    k, v = (tensor.repeat_interleave(size.heads // size.key_heads, dim=0) for tensor in (k, v))
    logits = (q @ k.transpose(1, 2) * width**-0.5).masked_fill(~mask, -torch.inf)
    reference = (logits.softmax(-1) @ v).transpose(0, 1)
    return float((out - reference).norm() / reference.norm())


def chat_mix(bench: Bench) -> dict[str, Any]:
    """Chats: lognormal, median 90, sigma 1."""
    return _compare(bench, median=90, sigma=1.0)


def long_mix(bench: Bench) -> dict[str, Any]:
    """Conversations of several turns: lognormal, median 400, sigma 0.7."""
    return _compare(bench, median=400, sigma=0.7)


def _compare(bench: Bench, *, median: float, sigma: float) -> dict[str, Any]:
    """Useful tokens a second of each way, in turn; slow ways score fewer texts of the same mix."""
    rig = bench.rig
    events = round(1_024 * 90 / median)
    ways: dict[str, tuple[Way, int]] = {
        "one_by_one": (rig.one_by_one, events // 8),
        "padded_32": (rig.padded_32, max(events // 4, 64)),
        "sorted": (rig.by_length, events),
        "packed": (rig.packed(rig.eager), events),
        "packed_compiled": (rig.packed(rig.compiled), events),
        "packed_compiled_fixed_rows": (rig.packed(rig.compiled, rows=rig.budget_tokens), events),
    }
    for way, count in ways.values():  # allocate, tune, compile
        way(bench.chats(max(8, count // 8), median=median, sigma=sigma))
    rates: dict[str, list[float]] = {name: [] for name in ways}
    round_s = 0.0
    while len(rates["packed"]) < MOST_ROUNDS and (not rates["packed"] or bench.has_time_for(round_s)):
        started_s = time.monotonic()
        for name, (way, count) in ways.items():
            rates[name].append(bench.rate(way, bench.chats(count, median=median, sigma=sigma)))
        round_s = time.monotonic() - started_s
    base, best = rates["padded_32"], bench.results["ceiling"]["best_tokens_per_s"]
    return {
        "rounds": len(base),
        "ways": {
            name: {
                "tokens_per_s": round(statistics.median(values)),
                "least": round(min(values)),
                "most": round(max(values)),
                "over_padded_32": round(statistics.median(map(_ratio, values, base)), 2),
                "share_of_ceiling": round(statistics.median(values) / best, 3),
            }
            for name, values in rates.items()
        },
    }


def budgets(bench: Bench) -> dict[str, Any]:
    """Throughput and time of a pack by its budget; the least budget with 97 % of the best throughput."""
    rig, rates = bench.rig, {}
    samples = bench.chats(448)  # some 65,000 tokens
    for budget in (1_024, 2_048, 4_096, 8_192, 16_384, 32_768):
        way = rig.packed(rig.compiled, budget)
        way(samples)
        rates[budget] = statistics.median(bench.rate(way, samples) for _ in range(2))
    enough = ENOUGH_OF_BEST * max(rates.values())
    return {
        "tokens_per_s": {budget: round(rate) for budget, rate in rates.items()},
        "pack_ms": {budget: round(1000 * budget / rate, 1) for budget, rate in rates.items()},
        "least_good_budget": min(budget for budget, rate in rates.items() if rate >= enough),
    }


def latency(bench: Bench) -> dict[str, Any]:
    """Milliseconds of one event on an idle device: [p50, p99], eager and compiled."""
    rig, found = bench.rig, {}
    for tokens in (30, 90, 300, 1_000):
        sample = Sample(tuple(bench.chance.randrange(rig.size.vocabulary) for _ in range(tokens)), tokens // 2)
        for name, armorm in (("eager", rig.eager), ("compiled", rig.compiled)):
            score = partial(_scored_and_read, rig.packed(armorm), sample)
            score()
            times = sorted(rig.seconds(score) for _ in range(bench.count(100)))
            found[f"{name}_{tokens}"] = [
                round(1000 * times[len(times) // 2], 2),
                round(1000 * times[-1 - len(times) // 100], 2),
            ]
    return {"p50_p99_ms": found}


def _scored_and_read(way: Way, sample: Sample) -> torch.Tensor:
    return way([sample]).cpu()


def invariance(bench: Bench) -> dict[str, Any]:
    """How far 64 texts' scores move in random packings, and how many stay equal bit by bit."""
    rig, probes = bench.rig, bench.chats(64)
    ways = {
        "free": rig.packed(rig.compiled),
        "fixed_rows": rig.packed(rig.compiled, rows=rig.budget_tokens),
    }
    found = {}
    for name, way in ways.items():
        alone = torch.cat([way([probe]) for probe in probes])
        moved = []
        for _ in range(bench.count(20)):
            order = bench.chance.sample(range(len(probes)), bench.chance.randint(2, len(probes)))
            moved.append((way([probes[at] for at in order]) - alone[order]).abs().amax(dim=1))
        distances = torch.cat(moved).float().cpu()
        found[name] = {
            "most": distances.max().item(),
            "p999": distances.quantile(0.999).item(),
            "bit_equal_share": round((distances == 0).float().mean().item(), 4),
        }
    return found


def chains(bench: Bench) -> dict[str, Any]:
    """Backlogs of 5 and 10 replies to a conversation: prefixes shared, against each reply by itself."""
    rig, found = bench.rig, {}
    for replies in (5, 10):
        samples = backlog(bench.count(200) // replies + 1, replies, rig.size.vocabulary, bench.chance)
        shared, apart = rig.packed(rig.compiled), rig.packed(rig.compiled, chains=False)
        difference = (shared(samples) - apart(samples)).abs().max().item()
        ratios = [rig.seconds(lambda: apart(samples)) / rig.seconds(lambda: shared(samples)) for _ in range(3)]  # noqa: B023
        found[f"replies_{replies}"] = {"over_alone": round(statistics.median(ratios), 2), "difference": difference}
    return found


def out_of_memory(bench: Bench) -> dict[str, Any]:
    """Take memory away and continue: every text gets a score, in smaller packs."""
    try:
        from moderator.scoring.engine import Engine  # noqa: PLC0415 - needs more than torch and transformers
    except ImportError as error:
        return {"skipped": f"`{error.name}` is not installed here", "goes_on": True}
    with _short_of_memory(bench.rig) as armorm:
        engine = Engine(armorm, bench.rig.budget_tokens)
        answers = ["well " * (at % 40) for at in range(bench.count(400))]
        conversations = [[("user", f"question {at}"), ("assistant", text)] for at, text in enumerate(answers)]
        readings = engine.read(conversations)  # type: ignore[arg-type]
        results = engine.score([passage.prompt for reading in readings for passage in reading.passages])
    scored = sum(hasattr(result, "rewards") for result in results)
    goes_on = scored == len(results) and engine._runner.budget.tokens < bench.rig.budget_tokens
    return {"events": len(results), "scored": scored, "budget_tokens": engine._runner.budget.tokens, "goes_on": goes_on}


@contextmanager
def _short_of_memory(rig: Rig) -> Iterator[ArmoRM]:
    """Leave 256 MiB in addition to the weights; on a CPU, only raise the error."""
    if rig.device.type != "cuda":
        yield ShortArmoRM(rig.eager)
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(rig.device).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**28) / total)
    try:
        yield rig.eager
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


class ShortArmoRM(ArmoRM):
    """The same model where a pass of more than 100 tokens is too much for several texts."""

    def __init__(self, armorm: ArmoRM) -> None:
        self.__dict__.update(vars(armorm))

    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        if len(texts) > 1 and sum(len(text.token_ids) for text in texts) > 100:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(texts)


def _ratio(one: float, other: float) -> float:
    return one / other
