"""`policy bench`: what reading the text signals and judging cost, measured on real events without a model."""

import json
from pathlib import Path

import pytest

from tests.builders import POLICY_FILES, write_files
from tests.command import Command, command_line

TEXT_SIGNALS = """\
  scam-words: {about: Scam wording, from_text: {words: [free donation, scam]}}
  links: {about: Hosts linked, from_text: {links: any}}
"""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    signals = POLICY_FILES["signals.yaml"] + TEXT_SIGNALS
    write_files(tmp_path / "policies", POLICY_FILES | {"signals.yaml": signals})
    lines = ['{"text": "a scam at www.example.org"}', '{"text": "good morning"}', "no event"]
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    return command_line(monkeypatch, capsys, "policy", "bench")


def test_costs_are_given_in_microseconds_per_event_with_the_dearest_signals(bench: Command) -> None:
    ran = bench("--events", "events.jsonl", "--json")

    record = json.loads(ran.out)
    assert (ran.code, ran.err, record["events"]) == (0, "", 2)
    costs = record["us_per_event"]
    assert list(costs) == ["text", "judge", "total"]
    assert all(0 < cost < 10_000 for cost in costs.values())
    assert costs["total"] >= max(costs["text"], costs["judge"])
    assert {each["signal"] for each in record["dearest"]} == {"scam-words", "links"}
    assert record["dearest"][0]["us"] >= record["dearest"][1]["us"] > 0


def test_the_text_names_what_could_not_be_read(bench: Command) -> None:
    ran = bench("--events", "events.jsonl")

    lines = ran.out.splitlines()
    assert lines[0] == "2 events, medians in microseconds per event; 1 line that cannot be read"
    assert [line.split()[0] for line in lines[1:4]] == ["text", "judge", "total"]
    assert lines[4] == "text signals that cost most, each read alone"


def test_a_folder_without_text_signals_reads_no_text(bench: Command, tmp_path: Path) -> None:
    write_files(tmp_path / "policies", POLICY_FILES)

    record = json.loads(bench("--events", "events.jsonl", "--json").out)

    assert (record["us_per_event"]["text"], record["dearest"]) == (0.0, [])
    assert record["us_per_event"]["judge"] > 0


@pytest.mark.parametrize(
    ("events", "reported"), [("nowhere", "cannot read `nowhere`"), ("empty", "`empty` holds no event that can be read")]
)
def test_without_an_event_nothing_is_measured(bench: Command, tmp_path: Path, events: str, reported: str) -> None:
    (tmp_path / "empty").write_text("no event\n")

    ran = bench("--events", events)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert reported in ran.err
