"""Dead letters on a real broker: listed, shown, corrected, and sent to the events topic again, once each."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner, Result

from moderator.cli.app import app
from moderator.errors import ConfigurationError
from moderator.events import DeadLetter, DeadLetterReason, Record
from moderator.settings import KafkaSettings
from moderator.stream.kafka.producing.dead_letters import dead_letter_record
from tests.builders import a_record
from tests.kafka_stream import kafka_variables, read_committed

LIMIT_BYTES = 1_000_000
STEER = "\x1b[31m"
ESCAPED = "\\x1b[31m"


def call(settings: KafkaSettings, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *arguments], env=kafka_variables(settings))


def set_aside(settings: KafkaSettings, *letters: tuple[DeadLetterReason, Record]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    for number, (reason, record) in enumerate(letters):
        letter = DeadLetter(reason, f"it is wrong in way {number}")
        at = f"2026-10-05T12:{number // 60:02}:{number % 60:02}Z"
        key, value, headers = dead_letter_record(record, letter, at, LIMIT_BYTES)
        producer.send(
            settings.dead_letter_topic, value, key, headers, partition=0, timestamp_ms=1_790_000_000_000 + number
        )
    producer.close()


def a_bad_record(offset: int, value: bytes = b"{", headers: Sequence[tuple[str, bytes]] = ()) -> Record:
    return a_record(value, partition=2, offset=offset, key=b"key-%d" % offset, headers=headers)


def test_the_newest_letters_are_listed_last_and_without_their_body(kafka_settings: KafkaSettings) -> None:
    set_aside(
        kafka_settings,
        ("bad_json", a_bad_record(5, b"first secret")),
        ("no_text", a_bad_record(6, b"second secret")),
        ("bad_json", a_bad_record(7, b"third", [("dlq.replays", b"2")])._replace(key=STEER.encode())),
    )

    listed = call(kafka_settings, "list", "--limit", "2")
    as_json = call(kafka_settings, "list", "--json", "--reason", "bad_json")
    counted = call(kafka_settings, "list", "--summary", "--contains", "secret")

    assert "2 of 3 shown; `--limit N` shows more\n" in listed.stderr
    assert "shown" not in as_json.stderr + counted.stderr
    lines = listed.stdout.splitlines()
    assert lines == [
        "0/1  2026-10-05T12:00:01Z  no_text  chat.events/2/6  key-6  13 B  it is wrong in way 1",
        f"0/2  2026-10-05T12:00:02Z  bad_json  chat.events/2/7  {ESCAPED}  5 B  it is wrong in way 2  replayed 2 times",
    ]
    assert json.loads(as_json.stdout.splitlines()[-1]) == {
        "place": "0/2",
        "at": "2026-10-05T12:00:02Z",
        "reason": "bad_json",
        "error": "it is wrong in way 2",
        "source": {"topic": "chat.events", "partition": 2, "offset": 7, "timestamp": 1_790_000_000_000},
        "key": STEER,
        "bytes": 5,
        "truncated": False,
        "replayed": 2,
    }
    assert STEER not in as_json.stdout
    assert [line.split() for line in counted.stdout.splitlines()] == [
        ["1", "bad_json", *["it", "is", "wrong", "in", "way", "0"]],
        ["1", "no_text", *["it", "is", "wrong", "in", "way", "1"]],
    ]


def test_a_letter_is_shown_with_its_headers_and_what_does_not_print_is_escaped(kafka_settings: KafkaSettings) -> None:
    body = b'{"text": "\xff' + STEER.encode() + b'",\n"id": 1}'
    set_aside(kafka_settings, ("bad_json", a_bad_record(5, body, [("trace", b"on")])))

    shown = call(kafka_settings, "show", "0/0").stdout
    raw = call(kafka_settings, "show", "0/0", "--raw").stdout_bytes
    missing = call(kafka_settings, "show", "0/1")

    assert shown.splitlines()[:5] == [
        "place: 0/0",
        "timestamp: 2026-09-21T14:13:20.000Z",
        "key: key-5",
        "trace: on",
        "dlq.reason: bad_json",
    ]
    assert shown.splitlines()[-2:] == ['{"text": "\\xff\\x1b[31m",', '"id": 1}']
    assert raw == body
    assert isinstance(missing.exception, ConfigurationError)
    assert "there is no dead letter at `0/1`" in str(missing.exception)


def test_letters_are_sent_again_once_each_marked_and_in_order(kafka_settings: KafkaSettings) -> None:
    came_again = a_bad_record(6, b"came again", [("trace", b"on"), ("dlq.replays", b"1"), ("replay_id", b"old")])
    set_aside(
        kafka_settings,
        ("bad_json", a_bad_record(5, b"first")),
        ("bad_json", came_again),
        ("no_text", a_bad_record(7, b"other reason")),
        ("bad_json", a_bad_record(8, b"too often", [("dlq.replays", b"3")])),
        ("bad_json", a_bad_record(9, b"x" * LIMIT_BYTES)),
    )
    command = ("replay", "--reason", "bad_json", "--id", "monday")

    dry = call(kafka_settings, *command, "--dry-run")
    before = read_committed(kafka_settings, kafka_settings.events_topic)
    replayed = call(kafka_settings, *command)
    again = call(kafka_settings, *command)
    other = call(kafka_settings, *command, "--max-replays", "9")

    selected = "4 selected = 2 replayed + 2 skipped (1 cut when they were set aside, 1 replayed as often as"
    assert not before
    assert selected in dry.stderr
    assert "nothing was written" in dry.stderr
    assert replayed.stderr.startswith("replay id monday\n")
    assert selected in replayed.stderr
    assert "`monday` is finished" in again.stderr
    assert (replayed.exit_code, again.exit_code) == (0, 0)
    assert isinstance(other.exception, ConfigurationError)
    assert "started with other options" in str(other.exception)
    sent = sorted(read_committed(kafka_settings, kafka_settings.events_topic), key=lambda each: each.key)
    letters = kafka_settings.dead_letter_topic
    assert [(each.key, each.value) for each in sent] == [(b"key-5", b"first"), (b"key-6", b"came again")]
    assert sent[1].headers == [
        ("trace", b"on"),
        ("replay_id", b"monday"),
        ("replay_of", f"{letters}/0/1".encode()),
        ("dlq.replays", b"2"),
    ]


def test_one_letter_is_sent_again_with_another_body(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    set_aside(kafka_settings, ("bad_json", a_bad_record(5, b"{")), ("bad_json", a_bad_record(6)))
    body = tmp_path / "fixed.json"
    body.write_bytes(b'{"text": "hello"}')

    replayed = call(kafka_settings, "replay", "0/0", "--value", str(body))

    assert replayed.exit_code == 0, replayed.stderr
    [sent] = read_committed(kafka_settings, kafka_settings.events_topic)
    assert (sent.key, sent.value, dict(sent.headers)["dlq.replays"]) == (b"key-5", body.read_bytes(), b"1")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "say what to send again: places, `--reason CODE`, or `--all`"),
        (["--since", "2026-10-01"], "say what to send again"),
        (["0/1", "--all"], "say what to send again"),
        (["0/1", "0/2", "--value", "pyproject.toml"], "`--value` replaces the body of one place: name one"),
        (["0/1", "--since", "2026-10-01"], "not among places"),
        (["--all", "--since", "monday"], "`monday` is no time"),
        (["--all", "--id", "a/b"], "`--id`: letters, digits and `-`, 40 at most"),
        (["0:1"], "`0:1` is no place"),
        (["--all", "--to", "ALLOW"], "is an output topic"),
        (["--all", "--to", "nowhere"], "--create --topic nowhere --partitions 3 --config max.message.bytes=4194304"),
        (["1/7"], "there is no dead letter at `1/7`"),
        (["9/0"], "has no partition 9"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(
    kafka_settings: KafkaSettings, arguments: list[str], problem: str
) -> None:
    given = [each.replace("ALLOW", kafka_settings.allow_topic) for each in arguments]

    refused = call(kafka_settings, "replay", *given)

    assert isinstance(refused.exception, ConfigurationError)
    assert problem in str(refused.exception)
