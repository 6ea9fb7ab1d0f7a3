"""`policy backtest` over a million recorded decisions, as its user runs it: a file, two policy folders, every core.

The decisions are made by the pipeline's own decider under the shipped policies, with ArmoRM's nineteen objectives and
3 kB each; the candidate is the same folder with one limit moved. The file repeats 20,000 different ones.
Wall time depends on who shares the machine, so CPU time is given too. The last line is JSON; the bound is on wall time
with two cores.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from moderator.demo.examples import example_policies
from moderator.events import ChatEvent, ModelIdentity, Record, Scores, Turn
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.policy import load_policies
from tests.builders import a_scored_event

BOUND_S = 60.0
DIFFERENT = 20_000
COMMAND = [sys.executable, "-m", "moderator", "policy", "backtest", "--json"]


def decisions(policies: Path, count: int) -> Iterator[bytes]:
    chance = random.Random(1)
    identity = ModelIdentity(
        "ArmoRM-Llama3-8B-v0.1", f"sha256:{'a' * 64}", "bfloat16", ARMORM_OBJECTIVES, "reply/2", 4096
    )
    decider = Decider(load_policies(policies), identity)
    at = Timestamps(0.01, 0.05, 0.06, "2026-10-05T12:00:00.412Z")
    for number in range(count):
        event = ChatEvent(
            id=f"evt-{number}",
            conversation=(Turn(chance.choice(["user", "assistant"]), "Hello."),),
            conversation_id=f"c-{number % 500}",
            tenant=f"tenant-{number % 20}",
            channel=chance.choice(["general", "help"]),
            locale=chance.choice(["en", "de", "fr"]),
            user=f"user-{number % 2_000}",
            role="member",
            metadata={"surface": "web"},
        )
        rewards = tuple(chance.betavariate(5, 2) for _ in ARMORM_OBJECTIVES)
        weights = tuple(chance.uniform(-0.2, 0.2) for _ in ARMORM_OBJECTIVES)
        record = Record("chat.events", number % 4, number, 1_790_000_000_000 + number, None, b"")
        scored = a_scored_event(Scores(rewards, weights, truncated=False))
        yield encode(decider.decide(record, event, scored, 0.0, at)).value + b"\n"


def moved(policies: Path, folder: Path) -> Path:
    shutil.copytree(policies, folder)
    file = folder / "message-safety.yaml"
    text = file.read_text()
    assert "safety: below 0.30" in text
    file.write_text(text.replace("safety: below 0.30", "safety: below 0.35"))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moderator-backtest-") as temporary:
        baseline, file = example_policies(), Path(temporary) / "decisions.jsonl"
        candidate = moved(baseline, Path(temporary) / "candidate")
        block = list(decisions(baseline, min(DIFFERENT, arguments.events)))
        with file.open("wb") as written:
            for _ in range(arguments.events // len(block)):
                written.writelines(block)
        options = ["--baseline", str(baseline), "--candidate", str(candidate), "--events", str(file)]
        before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        report = json.loads(subprocess.run([*COMMAND, *options], check=True, stdout=subprocess.PIPE).stdout)
        wall_s, after = time.perf_counter() - started_s, resource.getrusage(resource.RUSAGE_CHILDREN)
        size_bytes = file.stat().st_size
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps(
            {
                "benchmark": "backtest",
                "events": report["events"]["count"],
                "bytes": size_bytes,
                "cores": len(os.sched_getaffinity(0)),
                "wall_s": round(wall_s, 1),
                "cpu_s": round(cpu_s, 1),
                "cpu_us_per_event": round(cpu_s / report["events"]["count"] * 1e6, 1),
                "reproduced": report["fidelity"]["reproduced"],
                "flips": report["flips"]["allow_flag"] + report["flips"]["flag_allow"],
                "largest_process_mb": round(after.ru_maxrss / 1024),
                "bound_s": BOUND_S,
            }
        )
    )
    raise SystemExit(wall_s > BOUND_S)


if __name__ == "__main__":
    main()
