"""Recorded decisions read back from a real broker: what is committed, in the range that was asked for."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from moderator.cli.app import main
from moderator.errors import BrokerUnavailableError, ConfigurationError
from moderator.events import Partition
from moderator.policy import load_policies
from moderator.settings import KafkaSettings
from moderator.stream.kafka.ranges.decision_range import DecisionRange, OffsetRanges, TimeRange
from moderator.stream.kafka.ranges.decisions import KafkaDecisions
from moderator.supervisor.child import free_ports
from tests.kafka_stream import some_names
from tests.servers.console_source import START_MS, publish
from tests.unit.backtest.decisions import some_recorded
from tests.unit.policy.folders import SIGNALS, a_folder, a_policy, a_rule


def read(settings: KafkaSettings, wanted: DecisionRange) -> list[bytes | None]:
    with KafkaDecisions(settings, wanted) as decisions:
        return [record.value for records in decisions for record in records]


def test_everything_committed_is_read_and_nothing_else(kafka_settings: KafkaSettings) -> None:
    publish(kafka_settings, kafka_settings.flag_topic, [b"f1", b"f2"])
    publish(kafka_settings, kafka_settings.flag_topic, [b"aborted"], commit=False)
    publish(kafka_settings, kafka_settings.flag_topic, [b"f3"])
    publish(kafka_settings, kafka_settings.allow_topic, [b"a1"])
    publish(kafka_settings, kafka_settings.allow_topic, [b"aborted"], commit=False)

    with KafkaDecisions(kafka_settings, TimeRange()) as decisions:
        values = [record.value for records in decisions for record in records]
        total = decisions.total

    assert sorted(filter(None, values)) == [b"a1", b"f1", b"f2", b"f3"]
    assert total == 11  # six records, and a mark for the end of each transaction


def test_a_span_of_time_is_read_from_its_start_to_before_its_end(kafka_settings: KafkaSettings) -> None:
    publish(kafka_settings, kafka_settings.flag_topic, [b"0", b"1", b"2", b"3"])

    assert read(kafka_settings, TimeRange(START_MS + 1_000, START_MS + 3_000)) == [b"1", b"2"]
    assert read(kafka_settings, TimeRange(START_MS + 2_500, None)) == [b"3"]
    assert read(kafka_settings, TimeRange(START_MS + 9_000, None)) == []
    assert read(kafka_settings, TimeRange(None, START_MS)) == []


def test_offsets_are_read_from_their_start_to_before_their_end(kafka_settings: KafkaSettings) -> None:
    publish(kafka_settings, kafka_settings.flag_topic, [b"0", b"1", b"2", b"3"])
    publish(kafka_settings, kafka_settings.allow_topic, [b"a"])
    flags = Partition(kafka_settings.flag_topic, 0)

    assert read(kafka_settings, OffsetRanges({flags: (1, 3)})) == [b"1", b"2"]
    assert read(kafka_settings, OffsetRanges({flags: (3, 1_000)})) == [b"3"]
    assert read(kafka_settings, OffsetRanges({flags: (None, 1)})) == [b"0"]


def test_topics_without_decisions_hold_none(kafka_settings: KafkaSettings) -> None:
    assert read(kafka_settings, TimeRange()) == []


def test_what_is_missing_is_named(kafka_settings: KafkaSettings) -> None:
    elsewhere = some_names(bootstrap_servers=kafka_settings.bootstrap_servers)

    with pytest.raises(ConfigurationError, match=f"no topic `{elsewhere.flag_topic}`"):
        KafkaDecisions(elsewhere, TimeRange())
    with pytest.raises(ConfigurationError, match="has no partition 7"):
        KafkaDecisions(kafka_settings, OffsetRanges({Partition(kafka_settings.flag_topic, 7): (0, 1)}))


def test_a_broker_that_is_away_is_told_at_once() -> None:
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}")

    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        KafkaDecisions(settings, TimeRange())


def test_a_backtest_and_a_calibration_read_topics(
    tmp_path: Path,
    kafka_settings: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    baseline = a_folder(tmp_path / "baseline", a_policy(a_rule("safety: below 0.30")))
    candidate = a_folder(tmp_path / "candidate", a_policy(a_rule("safety: below 0.35")))
    decisions = some_recorded(load_policies(baseline), [nth / 1_200 for nth in range(1_200)])
    publish(kafka_settings, kafka_settings.flag_topic, decisions[:400])
    publish(kafka_settings, kafka_settings.allow_topic, decisions[400:])
    for name in ("bootstrap_servers", "flag_topic", "allow_topic"):
        monkeypatch.setenv(f"MODERATOR_KAFKA__{name.upper()}", getattr(kafka_settings, name))

    folders = ("--baseline", str(baseline), "--candidate", str(candidate))
    report = json.loads(
        run(monkeypatch, capsys, "policy", "backtest", *folders, "--events", "kafka:2026-10-01..", "--json")
    )
    told = run(
        monkeypatch, capsys, "model", "calibrate", "--policies", str(baseline), "--name", "x", "--events", "kafka"
    )

    assert (report["events"]["count"], report["events"]["source"]) == (1_200, "`kafka:2026-10-01..`")
    assert (report["fidelity"]["reproduced"], report["flips"]["allow_flag"]) == (1_200, 60)
    assert "1,200 events" in told


def test_a_backtest_reads_the_texts_from_the_events_topic(
    tmp_path: Path,
    kafka_settings: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    signals = f"{SIGNALS}  scam-words: {{about: Scam wording, from_text: {{words: lists/scam.txt}}}}\n"
    for name, entries in (("baseline", "scam\n"), ("candidate", "scam\nhello\n")):
        folder = a_folder(tmp_path / name, a_policy(a_rule("scam-words: at least 1")), signals=signals)
        (folder / "lists").mkdir()
        (folder / "lists" / "scam.txt").write_text(entries)
    (decision,) = some_recorded(load_policies(tmp_path / "baseline"), [0.5])
    (tmp_path / "decisions.jsonl").write_bytes(decision)
    sent = b'{"messages": [{"role": "assistant", "content": "Hello."}]}'
    publish(kafka_settings, kafka_settings.events_topic, [b"no event", sent])
    for name in ("bootstrap_servers", "events_topic"):
        monkeypatch.setenv(f"MODERATOR_KAFKA__{name.upper()}", getattr(kafka_settings, name))

    folders = ("--baseline", str(tmp_path / "baseline"), "--candidate", str(tmp_path / "candidate"))
    events = ("--events", str(tmp_path / "decisions.jsonl"), "--texts", "kafka", "--json")
    report = json.loads(run(monkeypatch, capsys, "policy", "backtest", *folders, *events))

    assert (report["stale"], report["undecided"], report["flips"]["allow_flag"]) == ([], 0, 1)


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["moderator", *arguments])
    with suppress(SystemExit):
        main()
    out, err = capsys.readouterr()
    assert "error:" not in err
    return out
