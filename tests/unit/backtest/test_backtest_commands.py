"""`policy backtest` and `model calibrate` as their users run them."""

import gzip
import io
import json
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from moderator.backtest.report.values import WITHOUT_FIDELITY
from moderator.policy import load_policies
from tests.command import Command, Ran, command_line
from tests.unit.backtest.decisions import USUAL, changed, recorded, some_recorded, write_lines
from tests.unit.policy.folders import SIGNALS, a_folder, a_policy, a_rule

SAFETIES = [nth / 100 for nth in range(100)]


@dataclass(frozen=True)
class Setup:
    """Two policy folders, a file of the baseline's decisions, and a way to run the command on them."""

    folder: Path
    command: Command

    def backtest(self, *options: str | Path, events: str | Path | None = None) -> Ran:
        folders = ("--baseline", self.folder / "baseline", "--candidate", self.folder / "candidate")
        return self.command("policy", "backtest", *folders, "--events", events or self.events, *options)

    @property
    def events(self) -> Path:
        return self.folder / "decisions.jsonl"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_line(monkeypatch, capsys)


@pytest.fixture
def setup(tmp_path: Path, command: Command) -> Setup:
    baseline = a_folder(tmp_path / "baseline", a_policy(a_rule("safety: below 0.30")))
    budget = "budget: {flag_share: at most 30%}"
    rules = (a_rule("safety: below 0.35", more=budget), a_rule("honesty: missing", name="unknown", mode="shadow"))
    a_folder(tmp_path / "candidate", a_policy(*rules))
    write_lines(tmp_path / "decisions.jsonl", some_recorded(load_policies(baseline), SAFETIES))
    return Setup(tmp_path, command)


def test_fidelity_is_shown_before_anything_that_follows_from_it(setup: Setup) -> None:
    ran = setup.backtest("--sweep", "safety")

    assert (ran.code, ran.err) == (0, "")
    sections = re.findall(r"^[A-Z]{3}[A-Z '()]*", ran.out, re.MULTILINE)
    assert sections[0] == "REPLAY FIDELITY"
    assert "100%: all 100 decisions of the baseline's snapshot come out just as recorded" in ran.out
    assert "flagged 30.00% -> 35.00%; 5 verdicts change (5.00%)" in ran.out
    assert re.search(r"0\.35 +candidate +35 +35\.00% +not enough labels \(0\)", ran.out)


def test_a_sweep_leaves_out_the_limits_that_change_nothing(setup: Setup) -> None:
    write_lines(setup.events, some_recorded(load_policies(setup.folder / "baseline"), [0.15, 0.8]))

    ran = setup.backtest("--sweep", "safety")

    rows = re.findall(r"^ +([0-9.]+) +(baseline|candidate)? +(\d+) +[0-9.]+%", ran.out, re.MULTILINE)
    assert rows == [
        ("0", "", "0"),
        ("0.15", "", "0"),
        ("0.175", "", "1"),
        ("0.3", "baseline", "1"),
        ("0.35", "candidate", "1"),
        ("0.8", "", "1"),
        ("0.825", "", "2"),
        ("1", "", "2"),
    ]


def test_a_baseline_that_misses_a_decision_fails_and_shows_no_other_number(setup: Setup) -> None:
    wrong = changed(recorded(load_policies(setup.folder / "baseline"), *USUAL, id="evt-x"), verdict="flag")
    with setup.events.open("ab") as file:
        file.write(wrong)

    ran, as_json = setup.backtest("--html", setup.folder / "page.html"), setup.backtest("--json")

    assert (ran.code, as_json.code) == (1, 1)
    assert "99.01%: 1 of 101 decisions of the baseline's snapshot comes out otherwise" in ran.out
    assert "of event evt-x: verdict: recorded flag, replayed allow" in ran.out
    assert "FLIPS\n  not counted: the baseline does not reproduce its own decisions\n" in ran.out
    assert "BY RULE" not in ran.out
    assert list(json.loads(as_json.out)) == [*WITHOUT_FIDELITY]
    assert not (setup.folder / "page.html").exists()


def test_a_baseline_that_made_none_of_the_decisions_fails(setup: Setup) -> None:
    a_folder(setup.folder / "baseline", a_policy(a_rule("safety: below 0.31")))

    ran = setup.backtest()

    assert ran.code == 1
    assert "none of the decisions was made by the baseline's snapshot" in ran.out


def test_a_broken_budget_fails_only_where_it_is_enforced(setup: Setup) -> None:
    watched, enforced = setup.backtest(), setup.backtest("--enforce")

    assert (watched.code, enforced.code) == (0, 1)
    assert "broken  chat-safety/unsafe-reply: 35%, at most 30%" in enforced.out


def test_json_holds_everything(setup: Setup) -> None:
    labels = setup.folder / "labels.jsonl"
    labels.write_text('{"id": "evt-3", "label": "flag"}\n')

    report = json.loads(setup.backtest("--json", "--labels", labels).out)

    assert report["flips"] == {"allow_allow": 65, "allow_flag": 5, "flag_allow": 0, "flag_flag": 30}
    assert report["labels"]["cells"][0]["deserve_flag"] == {
        "count": 1,
        "of": 1,
        "share": None,
        "low": None,
        "high": None,
    }
    assert {"rules", "groups", "nearest", "unused_exceptions", "budgets", "limits"} <= set(report)


def test_decisions_come_by_a_pipe_too(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    with setup.events.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))

        ran = setup.backtest("--json", events="-")

    assert json.loads(ran.out)["events"]["count"] == 100
    assert json.loads(ran.out)["events"]["source"] == "standard input"


def test_wrong_usage_is_reported_in_one_line(setup: Setup) -> None:
    folder = setup.folder
    (folder / "empty").write_text("\n\n")
    (folder / "events.jsonl.gz").write_bytes(gzip.compress(setup.events.read_bytes()))
    (folder / "twin.html").hardlink_to(setup.events)
    (folder / "other.yaml").touch()
    (folder / "events.jsonl").write_text('{"id": "evt-1", "text": "private words"}\n')
    runs = {
        setup.backtest(events=folder / "nowhere"): "cannot read",
        setup.backtest(events=folder): "cannot read",
        setup.backtest(events=folder / "empty"): "there is no decision to read: the input is empty",
        setup.backtest(events=folder / "events.jsonl"): "line 1: JSON, but not a decision: it has no `schema`",
        setup.backtest(events="kafka:someday"): "is no range of decisions",
        setup.backtest(events=folder / "events.jsonl.gz"): "is compressed: pipe what",
        setup.backtest("--sweep", "saftey"): "has a limit of `saftey`; they have limits of: safety",
        setup.backtest("--sweep", "honesty"): "has a limit of `honesty`",
        setup.backtest("--html", setup.events): "is an input",
        setup.backtest("--html", folder / "twin.html"): "is an input",
        setup.backtest("--html", folder / "candidate" / "settings.yaml"): "is in a policy folder",
        setup.backtest("--html", folder / "other.yaml"): "exists already, and is YAML",
        setup.backtest("--html", folder / "no" / "page.html"): "its folder is missing",
        setup.backtest("--labels", folder / "nowhere"): "cannot read",
    }

    for ran, reported in runs.items():
        assert (ran.code, ran.out) == (2, "")
        assert reported in ran.err
        assert (ran.err.count("\n"), "private" in ran.err) == (1, False)


def test_the_page_is_written_in_addition_to_the_text(setup: Setup) -> None:
    ran = setup.backtest("--html", setup.folder / "page.html")

    assert (ran.code, ran.err) == (0, f"wrote {setup.folder / 'page.html'}\n")
    assert (setup.folder / "page.html").read_text().startswith("<!doctype html>")


def test_a_reader_who_closes_the_text_still_gets_the_page(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as stdout, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stdout)

        ran = setup.backtest("--html", setup.folder / "page.html")

    assert ran.code == 128 + signal.SIGPIPE
    assert (setup.folder / "page.html").read_text().startswith("<!doctype html>")


def test_the_text_is_written_even_when_the_page_cannot_be(setup: Setup) -> None:
    ran = setup.backtest("--html", "/dev/full")

    assert (ran.code, ran.err) == (2, "error: cannot write `/dev/full`: no space left on device\n")
    assert "flagged 30.00% -> 35.00%" in ran.out


def test_a_calibration_is_written_once_and_never_over_another_unasked(tmp_path: Path, command: Command) -> None:
    folder = a_folder(tmp_path / "policies")
    events = write_lines(tmp_path / "decisions.jsonl", some_recorded(load_policies(folder), SAFETIES * 10))
    arguments = ("model", "calibrate", "--events", events, "--policies", folder, "--name", "october")

    first, second, third = command(*arguments), command(*arguments), command(*arguments, "--replace")

    assert (first.code, second.code, third.code) == (0, 2, 0)
    assert "1,000 events, 4 objectives" in first.out
    assert "calibrations: {ArmoRM-Llama3-8B-v0.1: calibration/october.json}" in first.out
    assert "exists already" in second.err
    assert [path.name for path in (folder / "calibration").iterdir() if "armorm" not in path.name] == ["october.json"]


def test_objectives_that_a_calibration_leaves_out_are_named(tmp_path: Path, command: Command) -> None:
    policies = load_policies(a_folder(tmp_path / "policies"))
    decisions = [*some_recorded(policies, SAFETIES * 10)[1:], recorded(policies, 2_000.0, *USUAL[1:])]
    events = write_lines(tmp_path / "decisions.jsonl", decisions)

    ran = command("model", "calibrate", "--events", events, "--policies", tmp_path / "policies", "--name", "october")

    assert "1,000 events, 3 objectives" in ran.out
    assert "fewer than 1,000 usable rewards: beavertails-is_safe" in ran.out


def test_a_calibration_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, command: Command) -> None:
    folder = a_folder(tmp_path / "policies")
    events = write_lines(tmp_path / "decisions.jsonl", some_recorded(load_policies(folder), SAFETIES * 10))
    (folder / "calibration" / "october.json").mkdir()

    ran = command("model", "calibrate", "--events", events, "--policies", folder, "--name", "october", "--replace")

    assert (ran.code, "cannot write" in ran.err) == (2, True)
    assert not list(folder.glob("calibration/.*"))


def test_a_calibrations_name_stays_in_its_folder(tmp_path: Path, command: Command) -> None:
    ran = command("model", "calibrate", "--events", "-", "--policies", tmp_path, "--name", "../october")

    assert ran.code == 2
    assert "is not a file name" in ran.err


def test_texts_tell_what_a_new_entry_of_a_list_does(setup: Setup) -> None:
    signals = f"{SIGNALS}  scam-words: {{about: Scam wording, from_text: {{words: lists/scam.txt}}}}\n"
    for name, entries in (("baseline", "scam\n"), ("candidate", "scam\nhello\n")):
        folder = a_folder(setup.folder / name, a_policy(a_rule("scam-words: at least 1")), signals=signals)
        (folder / "lists").mkdir()
        (folder / "lists" / "scam.txt").write_text(entries)
    write_lines(setup.events, some_recorded(load_policies(setup.folder / "baseline"), [0.5]))
    sent = setup.folder / "events.jsonl"
    sent.write_text('{"messages": [{"role": "assistant", "content": "Hello."}]}\n')

    blind, enforced = setup.backtest("--json"), setup.backtest("--enforce")
    told = setup.backtest("--json", "--enforce", "--texts", sent)

    assert (blind.code, enforced.code, told.code) == (0, 1, 0)
    assert enforced.out.startswith("scam-words is stale in 1 of 1 decision (lists/scam.txt: 1 added, 0 removed); ")
    assert (json.loads(blind.out)["undecided"], json.loads(blind.out)["flips"]["allow_flag"]) == (1, 0)
    assert (json.loads(told.out)["undecided"], json.loads(told.out)["flips"]["allow_flag"]) == (0, 1)
    assert "ello" not in told.out
