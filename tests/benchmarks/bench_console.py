"""What the console costs, held against its budgets: start, memory, pages, edits, reading, backtests; exit 1 over one.

Decisions of 3 kB that the example policies made. The last line is JSON.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from kafka import KafkaProducer

from moderator.demo.examples import example_policies
from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import KafkaSettings
from moderator.stream.kafka.topics import create_topics
from tests.benchmarks.bench_backtest import decisions as made
from tests.kafka_stream import kafka_variables, some_names
from tests.waiting import await_condition

HELD = 20_000
TIMES = 60
MIB = 2**20
ROOT = Path(__file__).parents[2]


@dataclass
class Results:
    """Figures and their bounds, printed as they come."""

    figures: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, name: str, figure: float, bound: float, unit: str, *, is_least: bool = False) -> None:
        is_kept = figure >= bound if is_least else figure <= bound
        self.figures[name] = round(figure, 3)
        if not is_kept:
            self.broken.append(name)
        relation = "at least" if is_least else "at most"
        print(f"{'' if is_kept else '!':<2}{name:<52} {figure:>10,.1f} {unit} ({relation} {bound:,g})", flush=True)


class RunningConsole:
    """A console in a process of its own."""

    def __init__(self, folder: Path, policies: Path, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MODERATOR_")}
        began_s = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moderator", "console", "--port", "0", "--policies", str(policies)],
            stdout=subprocess.PIPE,
            stderr=(folder / "console.log").open("ab"),
            env=kept | {"PYTHONPATH": str(ROOT)} | variables,
            cwd=folder,
            text=True,
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().removeprefix("console at ").strip()
        self.start_s = time.monotonic() - began_s
        self.client = httpx.Client(base_url=self.url, timeout=120)

    @property
    def rss_mib(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss / MIB)

    @property
    def cpu_s(self) -> float:
        """Of the process and of what it started."""
        ours = psutil.Process(self.process.pid)
        times = [each.cpu_times() for each in (ours, *ours.children(recursive=True))]
        return sum(each.user + each.system for each in times) + ours.cpu_times().children_user

    def read(self) -> int:
        return int(self.client.get("/api/overview").json()["read"])

    def await_read(self) -> None:
        await_condition(lambda: self.client.get("/readyz").status_code == 200, 3_600)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def console(folder: Path, policies: Path, **variables: str) -> Iterator[RunningConsole]:
    running = RunningConsole(folder, policies, **variables)
    try:
        yield running
    finally:
        running.close()


def time_requests(
    results: Results, name: str, running: RunningConsole, call: Callable[[], httpx.Response], bound_ms: float
) -> None:
    """Time requests one after the other; on a busy machine the mean of CPU time says more than the p95."""
    call()
    taken, cpu_s = [], running.cpu_s
    for _ in range(TIMES):
        began_s = time.perf_counter()
        answer = call()
        taken.append(time.perf_counter() - began_s)
        assert answer.status_code < 400, answer.text
    results.figures[f"{name}, CPU"] = round((running.cpu_s - cpu_s) / TIMES * 1_000, 1)
    p95_ms = statistics.quantiles(taken, n=20, method="inclusive")[18] * 1_000
    results.add(f"{name}, p95", p95_ms, bound_ms, f"ms, CPU {results.figures[f'{name}, CPU']:,.1f}")


def measure_pages(results: Results, running: RunningConsole) -> None:
    client = running.client
    flagged = client.get("/api/decisions?verdict=flag&limit=1").json()["decisions"][0]
    why = f"/decisions/{flagged['decision_id']}"
    filtered = f"/decisions?verdict=flag&tenant={flagged['event']['tenant']}&rule={flagged['rules'][0]['rule']}"
    for path in ("/", "/decisions", "/policies", "/playground", "/backtest", "/review"):
        time_requests(results, f"page {path}", running, partial(client.get, path), 200)
    time_requests(results, "Decisions with three filters", running, partial(client.get, filtered), 200)
    time_requests(results, "Why", running, partial(client.get, why), 100)
    for path in ("/", why, "/playground"):
        results.add(f"page {path[:12]} with all that it loads", page_kb(client, path), 150, "kB")


def page_kb(client: httpx.Client, path: str) -> float:
    """Add up what goes over the wire, compressed."""
    page = client.get(path)
    loaded = [
        part.partition('"')[0] for attribute in ('src="/', 'href="/static') for part in page.text.split(attribute)[1:]
    ]
    addresses = {f"/static{each}" if not each.startswith("static") else f"/{each}" for each in loaded}
    answers = [page, *(client.get(each) for each in sorted(addresses))]
    return sum(int(answer.headers.get("content-length", len(answer.content))) for answer in answers) / 1_000


def measure_edits(results: Results, running: RunningConsole, policies: Path) -> None:
    client = running.client
    text = (policies / "message-safety.yaml").read_text().replace("below 0.30", "below 0.35")
    files = {"message-safety.yaml": text}
    event = {"speaker": "user", "tenant": "acme"}
    judged = {"files": files, "scores": {"safety": 0.2, "helpfulness": 2}, "event": event}
    checking = partial(client.post, "/api/check", json={"files": files})
    time_requests(results, "/api/check", running, checking, 150)
    time_requests(results, "/api/judge", running, partial(client.post, "/api/judge", json=judged), 100)
    cpu_s = running.cpu_s
    slowest_s = flips_s(client, files)
    results.add(f"/api/flips over {HELD:,}, slowest of 3", slowest_s, 4, f"s, CPU {(running.cpu_s - cpu_s) / 3:.1f}")


def flips_s(client: httpx.Client, files: dict[str, str]) -> float:
    taken = []
    for number in range(3):  # each edit is another one: what was computed before does not count
        edit = {name: f"{text}# {number}\n" for name, text in files.items()}
        began_s = time.perf_counter()
        answer = client.post("/api/flips", json={"files": edit})
        taken.append(time.perf_counter() - began_s)
        assert answer.status_code == 200, answer.text
    return max(taken)


def measure_file(results: Results, folder: Path, policies: Path, decisions: Sequence[bytes]) -> None:
    (folder / "empty.jsonl").write_bytes(b"")
    with console(folder, policies, MODERATOR_CONSOLE__DECISIONS_FILE=str(folder / "empty.jsonl")) as running:
        results.add("start to `console at`", running.start_s, 3, "s")
        running.await_read()
        running.client.get("/")
        results.add("memory, empty", running.rss_mib, 150, "MiB")
    file = folder / "decisions.jsonl"
    file.write_bytes(b"\n".join(decisions) + b"\n")
    with console(folder, policies, MODERATOR_CONSOLE__DECISIONS_FILE=str(file)) as running:
        running.await_read()
        measure_pages(results, running)
        measure_edits(results, running, policies)
        results.add("memory, full, after all pages and edits", running.rss_mib, 400, "MiB")
    fewer = {"MODERATOR_CONSOLE__RECENT_DECISIONS": "5000", "MODERATOR_CONSOLE__DECISIONS_FILE": str(file)}
    with console(folder, policies, **fewer) as running:
        running.await_read()
        text = (policies / "message-safety.yaml").read_text().replace("below 0.30", "below 0.35")
        results.add(
            "/api/flips over 5,000, slowest of 3", flips_s(running.client, {"message-safety.yaml": text}), 1.5, "s"
        )


def measure_topics(results: Results, folder: Path, policies: Path, decisions: Sequence[bytes], count: int) -> None:
    with LocalKafka() as broker:
        kafka = some_names(bootstrap_servers=broker.bootstrap_servers)
        create_topics(kafka, partitions=6, replication=1)
        fill(kafka, decisions, count)
        with console(folder, policies, **kafka_variables(kafka)) as running:
            full_mib = await_full(running, count)
            running.await_read()
            cpu_s = running.cpu_s
            results.add("reading the topics, decisions a CPU second", count / cpu_s, 2_000, "/s", is_least=True)
            results.add(f"memory after {count:,} decisions", running.rss_mib, 400, "MiB")
            results.add("growth after the ring was full", running.rss_mib - full_mib, 40, "MiB")
            backtest_cpu(results, running, count)


def await_full(running: RunningConsole, count: int) -> float:
    """Wait until twice as many were read as are held, and give the memory then."""
    await_condition(lambda: running.read() >= min(2 * HELD, count), 3_600)
    return running.rss_mib


def backtest_cpu(results: Results, running: RunningConsole, count: int) -> None:
    before_s, before_mib = running.cpu_s, running.rss_mib
    began_s = time.monotonic()
    started = running.client.post("/api/backtests", json={"from": "2026-01-01T00:00:00Z"})
    assert started.status_code == 202, started.text
    address, most_mib = f"/api/backtests/{started.json()['id']}", before_mib
    while (job := running.client.get(address).json())["state"] == "running":
        most_mib = max(most_mib, running.rss_mib)
        time.sleep(0.5)
    assert job["state"] == "done", job
    read = job["report"]["events"]["count"]
    assert read == count, read
    results.add("backtest from Kafka, CPU seconds for 10,000", (running.cpu_s - before_s) / count * 10_000, 2, "s")
    results.add("memory that the backtest adds", most_mib - before_mib, 200, "MiB")
    print(f"  backtest of {count:,} decisions took {time.monotonic() - began_s:.0f} s")


def fill(kafka: KafkaSettings, decisions: Sequence[bytes], count: int) -> None:
    producer = KafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, linger_ms=20, batch_size=2**20, compression_type="lz4"
    )
    topics = [kafka.flag_topic if b'"verdict":"flag"' in each else kafka.allow_topic for each in decisions]
    for number in range(count):
        nth = number % len(decisions)
        producer.send(topics[nth], decisions[nth], partition=number % 6)
    producer.flush()
    producer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=100_000, help="how many the topics hold")
    given: Any = parser.parse_args()
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        policies = Path(shutil.copytree(example_policies(), folder / "policies"))
        decisions = [each.strip() for each in made(policies, HELD)]
        print(f"{len(decisions):,} decisions of {statistics.mean(map(len, decisions)):,.0f} bytes")
        measure_file(results, folder, policies, decisions)
        measure_topics(results, folder, policies, decisions, given.decisions)
    print(json.dumps({"figures": results.figures, "broken": results.broken}))
    sys.exit(1 if results.broken else 0)


if __name__ == "__main__":
    main()
