"""The GPU plan: packed scoring at ArmoRM's size against this device's own ceiling and against padded batches.

Offline, on one device, within 9 minutes: 7.51B random weights are made on it, texts are random ids. Everything is a
ratio within this run. Sections: the ceiling (the backbone's matrix products alone), a gate on correctness, the ways to
score interleaved on two mixes of lengths, budgets, idle latency, batch invariance, shared prefixes, an out-of-memory
drill. The last line of stdout is JSON; exit code 1 when the gate fails or a bound is missed: on speed, on bit equality
where rows are fixed, or on scoring everything when memory is short.

`--tiny` runs the same sections on a CPU with a model of toy size: it shows that the plan runs, and nothing else.
"""

import argparse
import json
import sys
import time
from typing import Any

import torch

from moderator.scoring.runtime.device import prepare_device
from tests.benchmarks.gpu_rig import ARMORM_8B, TINY, a_rig
from tests.benchmarks.gpu_sections import (
    Bench,
    Section,
    budgets,
    ceiling,
    chains,
    chat_mix,
    gate,
    invariance,
    latency,
    long_mix,
    out_of_memory,
)

LEAST_SHARE_OF_CEILING = 0.85
LEAST_OVER_PADDED = 4.5

SECTIONS: dict[str, tuple[Section, float]] = {
    "ceiling": (ceiling, 0.08),
    "gate": (gate, 0.20),
    "chat_mix": (chat_mix, 0.52),
    "long_mix": (long_mix, 0.68),
    "budgets": (budgets, 0.76),
    "latency": (latency, 0.84),
    "invariance": (invariance, 0.92),
    "chains": (chains, 0.96),
    "out_of_memory": (out_of_memory, 1.0),
}
"""What is run, in this order, and by which share of the time it should be over; a late one is left out."""


def run(bench: Bench, minutes: float, started_s: float) -> dict[str, Any]:
    for name, (section, share) in SECTIONS.items():
        bench.until_s = started_s + 60 * minutes * share
        began_s = time.monotonic()
        if began_s > started_s + 60 * minutes * 0.95:
            bench.results[name] = {"skipped": "no time was left"}
            continue
        bench.results[name] = section(bench)
        print(f"{name}: {time.monotonic() - began_s:.1f} s", flush=True)
        if name == "gate" and not bench.results["gate"]["is_good"]:
            break
    return bench.results


def missed_bounds(results: dict[str, Any]) -> list[str]:
    if not results["gate"]["is_good"]:
        return ["gate"]
    if "ways" not in results["chat_mix"]:
        return ["chat_mix"]
    compiled = results["chat_mix"]["ways"]["packed_compiled"]
    held = {
        "share_of_ceiling": compiled["share_of_ceiling"] >= LEAST_SHARE_OF_CEILING,
        "over_padded_32": compiled["over_padded_32"] >= LEAST_OVER_PADDED,
        "bit_equality": results["invariance"].get("fixed_rows", {}).get("bit_equal_share") == 1.0,
        "out_of_memory": results["out_of_memory"].get("goes_on", False),
    }
    return [name for name, is_held in held.items() if not is_held]


def print_tables(results: dict[str, Any]) -> None:
    for mix in ("chat_mix", "long_mix"):
        if "ways" not in results.get(mix, {}):
            continue
        print(f"\n{mix:<28}{'tokens/s':>10}{'over padded 32':>16}{'of ceiling':>12}")
        for name, row in results[mix]["ways"].items():
            print(f"{name:<28}{row['tokens_per_s']:>10}{row['over_padded_32']:>16.2f}{row['share_of_ceiling']:>12.1%}")
    for name in ("ceiling", "gate", "budgets", "latency", "invariance", "chains", "out_of_memory"):
        print(f"\n{name}: {json.dumps(results.get(name))}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a toy model on the CPU: only shows that the plan runs")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--budget", type=int, default=None, help="tokens of a pack")
    arguments = parser.parse_args()
    if not arguments.tiny and not torch.cuda.is_available():
        print("no CUDA device here; `--tiny` shows on a CPU that the plan runs", file=sys.stderr)
        return 2
    started_s = time.monotonic()
    device, dtype = (torch.device("cpu"), torch.float32) if arguments.tiny else (torch.device("cuda"), torch.bfloat16)
    prepare_device(device)
    budget = arguments.budget or (256 if arguments.tiny else 8_192)
    rig = a_rig(TINY if arguments.tiny else ARMORM_8B, device, dtype, budget)
    results = run(Bench(rig, scale=0.01 if arguments.tiny else 1.0), arguments.minutes, started_s)
    missed = [] if arguments.tiny else missed_bounds(results)
    print_tables(results)
    name = "cpu" if arguments.tiny else torch.cuda.get_device_name()
    environment = {"device": name, "torch": torch.__version__, "budget_tokens": budget, "is_tiny": arguments.tiny}
    seconds = round(time.monotonic() - started_s, 1)
    print(json.dumps({"benchmark": "gpu", **environment, "seconds": seconds, "results": results, "missed": missed}))
    return 1 if missed or not results["gate"]["is_good"] else 0


if __name__ == "__main__":
    sys.exit(main())
