"""The past judged again on a real broker: from new or from recorded scores, into a topic of its own, or compared."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner, Result

from moderator.cli.app import app
from moderator.events import Scores, Turn
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.metrics import Metrics
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy import load_policies
from moderator.settings import KafkaSettings, Settings, load_settings
from moderator.testing import ScriptedScorer
from moderator.wiring.lines import Judges
from moderator.wiring.parts import choose_policies
from moderator.wiring.replay import Asked, make, prepare
from moderator.wiring.stream import moderate
from tests.builders import POLICY_FILES, write_files
from tests.kafka_stream import (
    await_committed,
    committed_offsets,
    create_topic,
    kafka_variables,
    produce,
    read_committed,
    some_topics,
)
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S
from tests.warm.process import run_moderator

PER_PARTITION = 10
LONG_AGO = "2020-01-01"


def by_last_digit(conversation: Sequence[Turn]) -> Scores:
    """Safety is the text's last digit in tenths: with three partitions all digits stand in each."""
    return Scores((int(conversation[-1].content[-1]) / 10, 0.5), (1.0, 0.0), truncated=False)


def a_little_less_safe(conversation: Sequence[Turn]) -> Scores:
    """Two tenths less, but not below 0."""
    scores = by_last_digit(conversation)
    return scores._replace(rewards=(max(0.0, scores.rewards[0] - 0.2), 0.5))


def settings_of(kafka: KafkaSettings, policies: Path) -> Settings:
    return load_settings({"policies.path": policies}).model_copy(update={"kafka": kafka})


def stricter(folder: Path) -> Path:
    """The usual policies, but `unsafe` flags below 0.50, and another live rule is new."""
    rules = POLICY_FILES["safety.yaml"].replace("below 0.30", "below 0.50").replace("doubtful", "dubious")
    return write_files(folder, {**POLICY_FILES, "safety.yaml": rules})


@pytest.fixture(scope="module")
def live(kafka: SharedKafka, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Thirty events, three of them malformed, judged by live traffic; and a topic for replays."""
    topics = some_topics(kafka.bootstrap_servers)
    settings = settings_of(topics, write_files(tmp_path_factory.mktemp("live"), POLICY_FILES))
    values = (b'{"id": "evt-%d", "text": "text %d"}' % (number, number) for number in range(3 * PER_PARTITION))
    produce(topics, (value if number % 10 else b"not json" for number, value in enumerate(values)))
    with moderating(settings, ScriptedScorer(by_last_digit)):
        await_committed(topics, [PER_PARTITION] * 3)
    return settings


@contextmanager
def moderating(settings: Settings, scorer: ScriptedScorer) -> Iterator[None]:
    stop, scoring = threading.Event(), ScoringThread()
    metrics = Metrics(CollectorRegistry())
    board = HealthBoard(HealthSnapshot(turned_at_s=0, broker_seen_at_s=0))
    given = (settings, choose_policies(settings), scoring, scorer, stop)
    thread = threading.Thread(target=lambda: moderate(*given, metrics=metrics, board=board), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        scoring.close()
    assert not thread.is_alive()


def a_topic(settings: Settings, name: str) -> str:
    topic = f"{settings.kafka.group_id}-{name}"
    create_topic(settings.kafka, topic, 2)
    return topic


def asked(**fields: Any) -> Asked:
    given = {
        "run_id": "monday",
        "start": LONG_AGO,
        "until": "now",
        "topic": None,
        "rate": None,
        "is_rejudging": False,
        "is_dry": False,
        "is_comparing": False,
        "may_be_live": False,
    }
    return Asked(**{**given, **fields})


def replay(
    settings: Settings, scores: Callable[[Sequence[Turn]], Scores] = by_last_digit, **fields: Any
) -> tuple[str, Any]:
    """Make a replay with a model that costs nothing; give what was counted, and the report."""

    def load(given: Settings) -> Judges:
        return Judges(load_policies(given.policies.path), ScriptedScorer(scores), ScoringThread())

    is_rejudging = fields.get("is_rejudging", False)
    model = {"path": None if is_rejudging else "scripted"}
    with_model = settings.model_copy(update={"model": settings.model.model_copy(update=model)})
    plan = prepare(with_model, asked(**fields))
    counts, report = make(plan, threading.Event(), lambda *_: nullcontext(lambda _: None), load)
    return counts.line, report.record if report else None


def test_events_are_judged_anew_into_a_topic_of_their_own_once_each(live: Settings) -> None:
    topic = a_topic(live, "again")
    before = committed_offsets(live.kafka)

    first, _ = replay(live, topic=topic)
    again, _ = replay(live, topic=topic)

    assert first == "30 events = 6 flag + 21 allow + 3 dead letters"
    assert again == "0 events = 0 flag + 0 allow + 0 dead letters"
    records = read_committed(live.kafka, topic)
    places = sorted(dict(each.headers)["replay_of"].decode() for each in records)
    events = live.kafka.events_topic
    assert places == sorted(f"{events}/{number}/{offset}" for number in range(3) for offset in range(PER_PARTITION))
    decision = dict(next(each for each in records if dict(each.headers).get("verdict") == b"flag").headers)
    assert decision["ce_source"] == f"/moderator/{live.kafka.group_id}/replay".encode()
    assert decision["replay_id"] == b"monday"
    letter = dict(next(each for each in records if b"dlq.reason" in [n.encode() for n, _ in each.headers]).headers)
    assert (letter["dlq.reason"], letter["replay_id"], "verdict" in letter) == (b"bad_json", b"monday", False)
    assert committed_offsets(live.kafka) == before


def test_recorded_decisions_are_judged_again_by_other_policies_without_a_model(live: Settings, tmp_path: Path) -> None:
    topic = a_topic(live, "rejudged")
    settings = settings_of(live.kafka, stricter(tmp_path / "stricter"))

    counted, _ = replay(settings, topic=topic, is_rejudging=True, run_id="tuesday")

    assert counted == "27 events = 12 flag + 15 allow + 0 dead letters"
    records = read_committed(live.kafka, topic)
    decisions = {each["event"]["id"]: each for each in map(orjson.loads, (record.value for record in records))}
    assert len(decisions) == 27
    assert decisions["evt-4"]["verdict"] == "flag"
    assert decisions["evt-4"]["policy"]["snapshot"] == load_policies(settings.policies.path).snapshot
    recorded = {
        each["event"]["id"]: each
        for each in (orjson.loads(one.value) for one in read_committed(live.kafka, live.kafka.allow_topic))
    }
    was, now = recorded["evt-4"], decisions["evt-4"]
    same = ("decided_at", "event", "explanation", "model", "framing", "reading", "cached", "timing_ms")
    assert {name: was[name] for name in same} == {name: now[name] for name in same}
    assert was["decision_id"] != now["decision_id"]
    heads = [dict(record.headers) for record in records]
    assert {head["replay_of"].rpartition(b"/")[0].rpartition(b"/")[0] for head in heads} == {
        live.kafka.flag_topic.encode(),
        live.kafka.allow_topic.encode(),
    }


def test_a_comparison_says_exactly_what_another_model_would_change(live: Settings) -> None:
    _, report = replay(live, a_little_less_safe, is_comparing=True)

    fingerprint = "sha256:" + "0" * 64
    examples = report.pop("examples")
    snapshot = load_policies(live.policies.path).snapshot
    assert report == {
        "replay_id": "monday",
        "whole": True,
        "events": 30,
        "compared": 27,
        "without_decision": 3,
        "repeated": 0,
        "same_verdict": 21,
        "flips": {"allow_to_flag": 6, "flag_to_allow": 0},
        "rules": [
            {"rule": "safety/doubtful", "newly_matched": 6, "no_longer_matched": 0},
            {"rule": "safety/unsafe", "newly_matched": 6, "no_longer_matched": 0},
        ],
        # of nine digits 1 moves by 0.1, the others by 0.2
        "scores": [{"signal": "safety", "mean_shift": -0.188889, "largest_shift": 0.2, "within_0.02_share": 0.0}],
        "recorded": {"snapshots": [snapshot], "models": [fingerprint]},
        "now": {"snapshot": snapshot, "model": fingerprint},
    }
    assert {each["event_id"] for each in examples} == {f"evt-{number}" for number in (3, 4, 13, 14, 23, 24)}
    assert examples[0] == {**examples[0], "was": "allow", "now": "flag", "rules": ["safety/unsafe"]}


def call(settings: KafkaSettings, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["replay", "--from", LONG_AGO, *arguments], env=kafka_variables(settings))


def test_a_comparison_of_policies_writes_nothing_and_its_exit_code_says_too_many(
    live: Settings, tmp_path: Path
) -> None:
    folder = str(stricter(tmp_path / "stricter"))
    command = ("--policy-only", "--compare", "--policies", folder)
    before = read_committed(live.kafka)

    many = call(live.kafka, *command, "--json", "--max-flips", "22%")
    few = call(live.kafka, *command, "--max-flips", "22.3%")

    report = json.loads(many.stdout)
    assert (many.exit_code, few.exit_code) == (1, 0), (many.stderr, few.stderr)
    assert report["flips"] == {"allow_to_flag": 6, "flag_to_allow": 0}
    assert report["compared"] == report["events"] == 27
    assert report["not_replayable"] == {}
    assert report["now"]["model"] is None
    assert report["rules"] == [
        {"rule": "safety/doubtful", "newly_matched": 0, "no_longer_matched": 15, "only": "recorded"},
        {"rule": "safety/dubious", "newly_matched": 15, "no_longer_matched": 0, "only": "now"},
        {"rule": "safety/unsafe", "newly_matched": 6, "no_longer_matched": 0},
    ]
    assert report["scores"] == [{"signal": "safety", "mean_shift": 0.0, "largest_shift": 0.0, "within_0.02_share": 1.0}]
    assert "6 from allow to flag, 0 from flag to allow: 22.22% changed" in few.stdout
    assert "nothing was written" in few.stderr
    assert len(read_committed(live.kafka)) == len(before)


def test_a_limit_of_flips_fails_where_nothing_was_compared(live: Settings) -> None:
    command = ("--policy-only", "--compare", "--policies", str(live.policies.path), "--until", "2020-01-02")

    limited, unlimited = call(live.kafka, *command, "--max-flips", "0%"), call(live.kafka, *command)

    assert (limited.exit_code, unlimited.exit_code) == (1, 0), (limited.stderr, unlimited.stderr)
    assert "nothing was compared, so `--max-flips` fails" in limited.stderr
    assert "nothing was compared" not in unlimited.stderr


def test_a_run_that_goes_on_says_that_its_comparison_is_not_whole_and_no_share_of_flips_passes(
    live: Settings, tmp_path: Path
) -> None:
    written = ("--to-topic", a_topic(live, "canary"), "--id", "canary")
    command = ("--policy-only", "--compare", "--policies", str(stricter(tmp_path / "stricter")), *written)

    first = call(live.kafka, *command, "--json", "--max-flips", "100%")
    goes_on = call(live.kafka, *command, "--max-flips", "100%")
    without_a_limit = call(live.kafka, *command, "--json")

    assert (first.exit_code, goes_on.exit_code, without_a_limit.exit_code) == (0, 1, 0), goes_on.stderr
    assert (json.loads(first.stdout)["whole"], json.loads(without_a_limit.stdout)["whole"]) == (True, False)
    assert goes_on.stdout.startswith("of what was left of the run alone; `--compare` without `--to-topic` compares")


def test_the_practice_model_is_compared_with_what_another_one_decided(live: Settings) -> None:
    command = ("--until", "0:4", "--compare", "--json", "--model", "builtin", "--policies", str(live.policies.path))
    variables = kafka_variables(live.kafka)

    ended = run_moderator("replay", "--from", "0:1", *command, **variables)

    report = json.loads(ended.stdout)
    assert (report["events"], report["compared"], ended.returncode) == (3, 3, 0), ended.stderr
    assert report["recorded"]["models"] == ["sha256:" + "0" * 64]
    assert report["now"]["model"] not in report["recorded"]["models"]
    assert "3 events = " in ended.stderr
    assert "nothing was written" in ended.stderr


def test_of_several_decisions_for_one_place_the_last_counts(live: Settings) -> None:
    topics = live.kafka.model_copy(
        update={"flag_topic": a_topic(live, "flags"), "allow_topic": a_topic(live, "allows")}
    )
    [one] = [each for each in read_committed(live.kafka, live.kafka.allow_topic) if b'"evt-9"' in each.value]
    later = orjson.dumps({**orjson.loads(one.value), "verdict": "flag"})
    producer = KafkaProducer(bootstrap_servers=topics.bootstrap_servers)
    producer.send(topics.flag_topic, later, timestamp_ms=one.timestamp + 5).get(10)
    producer.send(topics.allow_topic, one.value, timestamp_ms=one.timestamp).get(10)
    producer.send(topics.allow_topic, b"not json", timestamp_ms=one.timestamp).get(10)
    producer.close()

    counted, report = replay(settings_of(topics, live.policies.path), is_rejudging=True, is_comparing=True)

    assert counted == "3 events = 0 flag + 2 allow + 0 dead letters + 1 not replayable (it is no decision)"
    assert (report["compared"], report["repeated"]) == (1, 1)
    assert report["flips"] == {"allow_to_flag": 0, "flag_to_allow": 1}
    assert report["not_replayable"] == {"it is no decision": 1}


def test_places_choose_events_by_partition(live: Settings) -> None:
    counted, report = replay(live, start="0:2,2:9", until="0:5,1:7,2:10", is_comparing=True)

    assert counted.startswith("4 events = ")
    assert report["events"] == 4


def test_a_dry_run_judges_and_leaves_no_trace(live: Settings) -> None:
    topic = a_topic(live, "dry")

    counted, _ = replay(live, topic=topic, is_dry=True, run_id="dry")
    after, _ = replay(live, topic=topic, run_id="dry", start="0:0", until="0:3")

    assert counted.startswith("30 events")
    assert after.startswith("3 events")
    assert len(read_committed(live.kafka, topic)) == 3


def test_an_empty_range_loads_no_model(live: Settings) -> None:
    counted, report = replay(live, start="0:10", is_comparing=True)

    assert counted.startswith("0 events")
    assert report["events"] == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "say where decisions go, `--to-topic TOPIC`, or `--compare` alone"),
        (["--to-topic", "a", "--json"], "are about the report of `--compare`"),
        (["--compare"], "no model is named: give `--model`"),
        (["--compare", "--max-flips", "1"], "`--max-flips 1`: write a share such as `1%`"),
        (["--compare", "--policy-only", "--from", "0:1"], "`--policy-only` reads the decision topics: name a time"),
        (["--compare", "--model", "builtin", "--until", "0:1,0:2"], "names a partition twice"),
        (["--compare", "--model", "builtin", "--until", "soon"], "`--until soon`: write a time such as"),
        (["--compare", "--model", "builtin", "--until", "2019-01-01"], "the range holds nothing"),
        (["--policy-only", "--to-topic", "FLAG"], "is a topic of live traffic, whose readers would act twice"),
        (["--policy-only", "--to-topic", "nowhere"], "--create --topic nowhere --partitions 3"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(live: Settings, arguments: list[str], problem: str) -> None:
    given = [each.replace("FLAG", live.kafka.flag_topic) for each in arguments]

    refused = call(live.kafka, *given, "--policies", str(live.policies.path))

    assert problem in str(refused.exception), refused.stderr


def test_other_options_under_the_same_name_are_refused(live: Settings, tmp_path: Path) -> None:
    topic = a_topic(live, "options")
    replay(live, topic=topic, is_rejudging=True, run_id="options")
    other = settings_of(live.kafka, stricter(tmp_path / "stricter"))

    with pytest.raises(Exception, match="was started with other options"):
        replay(other, topic=topic, is_rejudging=True, run_id="options")


def test_a_live_topic_is_written_where_that_is_asked_for(live: Settings) -> None:
    topics = live.kafka.model_copy(update={"dead_letter_topic": a_topic(live, "other-letters")})
    settings = settings_of(topics, live.policies.path)

    counted, _ = replay(
        settings, topic=topics.dead_letter_topic, start="0:0", until="0:2", may_be_live=True, run_id="live"
    )

    assert counted.startswith("2 events")
