"""What settings must not say together."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from moderator.errors import ConfigurationError
from moderator.settings import KafkaSettings, Settings, load_settings
from moderator.settings.tokens import tokens_of


@pytest.mark.parametrize("output", ["flag_topic", "allow_topic", "dead_letter_topic"])
def test_decisions_must_not_go_back_to_the_events_topic(output: str) -> None:
    with pytest.raises(ValidationError, match="decisions would be judged as events"):
        KafkaSettings(events_topic="chat", **{output: "chat"})


def test_dead_letters_must_not_mix_with_decisions() -> None:
    with pytest.raises(ValidationError, match="a topic of its own"):
        KafkaSettings(flag_topic="out", dead_letter_topic="out")


@pytest.mark.parametrize("other", ["events_topic", "flag_topic", "allow_topic", "dead_letter_topic"])
def test_labels_must_not_mix_with_anything_else(other: str) -> None:
    with pytest.raises(ValidationError, match="labels_topic must be a topic of its own"):
        KafkaSettings(labels_topic="shared", **{other: "shared"})


def test_both_verdicts_may_share_a_topic() -> None:
    kafka = KafkaSettings(flag_topic="decisions", allow_topic="decisions")

    assert kafka.flag_topic == kafka.allow_topic


@pytest.mark.parametrize("at", ["earliest", "latest", "2026-11-29T06:00:00Z", "2026-11-29T06:00:00+01:00", None])
def test_a_new_group_begins_at_an_end_or_at_a_time(at: str | None) -> None:
    assert KafkaSettings(start_at=at).start_at == at


@pytest.mark.parametrize("at", ["Latest", "yesterday", "2026-11-29T06:00:00", "1900-01-01T00:00:00Z", "7"])
def test_where_a_new_group_begins_is_refused_where_it_means_nothing(at: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={"MODERATOR_KAFKA__START_AT": at})

    assert str(caught.value) == (
        f"`MODERATOR_KAFKA__START_AT` in the environment is `{at}`: should be `earliest`, `latest` or a time such as "
        "`2026-11-29T06:00:00Z`"
    )


def test_sasl_without_mechanism_is_named_with_the_place_that_set_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={"MODERATOR_KAFKA__SECURITY_PROTOCOL": "SASL_SSL"})

    assert str(caught.value) == (
        "settings of `kafka`: security_protocol SASL_SSL needs sasl_mechanism; set in the environment"
    )


@pytest.mark.parametrize("given", [{}, {"sasl_username": "u"}, {"sasl_password": "p"}])
def test_a_mechanism_by_password_needs_user_and_password(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="needs sasl_username and sasl_password"):
        KafkaSettings(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", **given)


@pytest.mark.parametrize("given", ["sasl_mechanism", "sasl_username", "sasl_password"])
def test_credentials_without_a_protocol_that_sends_them_are_refused(given: str) -> None:
    credentials = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}
    only = credentials if given == "sasl_mechanism" else {given: credentials[given]}

    with pytest.raises(ValidationError, match=f"{given} needs a security_protocol of SASL_SSL or SASL_PLAINTEXT"):
        KafkaSettings(security_protocol="SSL", **only)


@pytest.mark.parametrize("mechanism", ["GSSAPI", "OAUTHBEARER", "AWS_MSK_IAM"])
def test_a_mechanism_that_needs_more_than_user_and_password_is_refused(mechanism: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^`MODERATOR_KAFKA__SASL_MECHANISM` .* `{mechanism}`: should be"):
        load_settings(environ={"MODERATOR_KAFKA__SASL_MECHANISM": mechanism})


@pytest.mark.parametrize("name", ["SSL_CAFILE", "SSL_CERTFILE", "SSL_KEYFILE"])
def test_a_certificate_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    variable, path = f"MODERATOR_KAFKA__{name}", tmp_path / "missing.pem"

    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={variable: str(path)}, folder=tmp_path)

    assert str(caught.value).startswith(f"`{variable}` in the environment is `")
    assert str(caught.value).endswith(": there is no such file")


@pytest.mark.parametrize(
    "wrong", ["localhost:notaport", "a:9092,", ",a:9092", "a:9092,,b", "a:0", "a:65536", "SSL://a:9093", "::1", "[::1]"]
)
def test_brokers_without_a_host_and_a_port_are_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"`MODERATOR_KAFKA__BOOTSTRAP_SERVERS` .*should be `host:port`"):
        load_settings(environ={"MODERATOR_KAFKA__BOOTSTRAP_SERVERS": wrong})


@pytest.mark.parametrize("right", ["a", "a:1, b.example:65535", "10.0.0.1:9092", "[::1]:9092"])
def test_brokers_are_names_or_numbers_with_a_port_or_the_usual_one(right: str) -> None:
    assert KafkaSettings(bootstrap_servers=right).bootstrap_servers == right


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0"])
def test_waits_are_positive_and_finite(value: str) -> None:
    with pytest.raises(ConfigurationError, match="MODERATOR_DRAIN_TIMEOUT_S"):
        load_settings(environ={"MODERATOR_DRAIN_TIMEOUT_S": value})


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("REDIS__DEADLINE_MS", 10_000),
        ("REDIS__SCORE_TTL_S", 315_360_000),
        ("REDIS__VERDICT_TTL_S", 315_360_000),
        ("DRAIN_TIMEOUT_S", 86_400),
    ],
)
def test_times_are_no_longer_than_what_is_given_them_can_wait(name: str, most: int) -> None:
    variable = f"MODERATOR_{name}"

    load_settings(environ={variable: str(most)})

    with pytest.raises(ConfigurationError, match=rf"{variable}.*less than or equal to {most}"):
        load_settings(environ={variable: str(most + 1)})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().http.port = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    "token", ["short", "x" * 15, "x" * 513, "has a space in it", "é" * 20, ",", "x" * 20 + ",short"]
)
def test_a_token_that_is_too_short_or_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={"MODERATOR_HTTP__TOKEN": token})

    assert str(caught.value) == (
        "`MODERATOR_HTTP__TOKEN` in the environment should be one token, or several separated by commas or line ends, "
        "each of 16 to 512 visible ASCII characters"
    )


def test_several_tokens_may_be_set_at_once() -> None:
    settings = load_settings(environ={"MODERATOR_HTTP__TOKEN": "the-old-token-0123, the-new-token-0123\n"})

    assert tokens_of(settings.http.token) == ("the-old-token-0123", "the-new-token-0123")


def test_a_whole_batch_must_have_room_in_the_queue() -> None:
    with pytest.raises(ConfigurationError, match="queue_events is 100, and must be at least max_batch, 256"):
        load_settings(environ={"MODERATOR_HTTP__QUEUE_EVENTS": "100"})
