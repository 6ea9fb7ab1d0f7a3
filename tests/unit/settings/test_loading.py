"""Where settings come from, which place wins, and what a mistake looks like."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from moderator.errors import ConfigurationError
from moderator.settings import Settings, load_settings


def _error(environ: Mapping[str, str], folder: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environ, folder=folder)
    return str(caught.value)


def _secrets(folder: Path, **files: str) -> dict[str, str]:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    return {"MODERATOR_SECRETS_DIR": str(folder)}


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(environ={}, folder=tmp_path)

    assert settings == Settings()
    assert settings.kafka.events_topic == "chat.events"
    assert settings.max_event_bytes == 1_048_576


def test_settings_built_by_hand_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERATOR_HTTP__PORT", "9")

    settings = Settings()

    assert settings.http.port == 8080


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODERATOR_HTTP__PORT", "9")
    monkeypatch.chdir(tmp_path)

    settings = load_settings()

    assert settings.http.port == 9


def test_flags_win_over_environment_over_secrets_over_file(tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text(
        "kafka: {group_id: file, events_topic: file, flag_topic: file, allow_topic: file}\n"
    )
    environ = _secrets(
        tmp_path / "secrets",
        MODERATOR_KAFKA__GROUP_ID="secret",
        MODERATOR_KAFKA__EVENTS_TOPIC="secret",
        MODERATOR_KAFKA__FLAG_TOPIC="secret\n",
    )
    environ |= {"MODERATOR_KAFKA__GROUP_ID": "environment", "MODERATOR_KAFKA__EVENTS_TOPIC": "environment"}

    kafka = load_settings({"kafka.group_id": "flag"}, environ=environ, folder=tmp_path).kafka

    assert (kafka.group_id, kafka.events_topic, kafka.flag_topic, kafka.allow_topic) == (
        "flag",
        "environment",
        "secret",
        "file",
    )


def test_one_group_may_be_set_in_several_places(tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text("kafka:\n  sasl_username: moderator\n")
    environ = _secrets(tmp_path / "secrets", MODERATOR_KAFKA__SASL_PASSWORD="hunter2\n")
    environ |= {"MODERATOR_KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "MODERATOR_KAFKA__SASL_MECHANISM": "PLAIN"}

    kafka = load_settings(environ=environ, folder=tmp_path).kafka

    assert kafka.sasl_username == "moderator"
    assert kafka.sasl_password is not None
    assert kafka.sasl_password.get_secret_value() == "hunter2"


def test_a_flag_that_was_not_given_changes_nothing(tmp_path: Path) -> None:
    settings = load_settings({"model.path": None}, environ={"MODERATOR_MODEL__PATH": "builtin"}, folder=tmp_path)

    assert settings.model.path == "builtin"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    settings = load_settings(environ={"MODERATOR_REDIS__URL": "", "MODERATOR_HTTP__PORT": ""}, folder=tmp_path)

    assert settings.redis.url is None
    assert settings.http.port == 8080


def test_an_empty_file_or_group_sets_nothing(tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text("kafka:\nredis: {}\n")

    settings = load_settings(environ={}, folder=tmp_path)

    assert settings == Settings()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("kafka__sasl_password", "MODERATOR_KAFKA__SASL_PASSWORD"),
        ("sasl_password", "MODERATOR_KAFKA__SASL_PASSWORD"),
        ("MODERATOR_KAFKA_SASL_PASSWORD", "MODERATOR_KAFKA__SASL_PASSWORD"),
        ("kafka.sasl_password", "MODERATOR_KAFKA__SASL_PASSWORD"),
        ("redis-url", "MODERATOR_REDIS__URL"),
    ],
)
def test_a_file_among_the_secrets_that_is_no_setting_stops_start_up_and_names_the_nearest(
    name: str, nearest: str, tmp_path: Path
) -> None:
    environ = _secrets(tmp_path / "secrets", MODERATOR_LOG__LEVEL="error")
    (tmp_path / "secrets" / name).write_bytes(b"\xff hunter2")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environ, folder=tmp_path)

    assert str(caught.value) == (
        f"`{name}` in the folder `{tmp_path / 'secrets'}` is not a setting; the nearest is `{nearest}`"
    )


def test_files_and_folders_of_the_secrets_that_begin_with_a_dot_are_not_read(tmp_path: Path) -> None:
    environ = _secrets(tmp_path / "secrets", **{".keep": "", "..data": "", "MODERATOR_LOG__LEVEL": "error"})

    assert load_settings(environ=environ, folder=tmp_path).log.level == "error"


@pytest.mark.parametrize("name", ["MODERATOR_REDIS__URL", "moderator_redis__url", "Moderator_Redis__Url"])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("redis://a ", "redis://a "),
        ("redis://a\n", "redis://a"),
        ("redis://a\r\n", "redis://a"),
        ("redis://a\n\n", "redis://a\n"),
    ],
)
def test_a_secret_s_file_is_called_like_its_variable_in_any_case_and_loses_one_final_line_break(
    name: str, written: str, read: str, tmp_path: Path
) -> None:
    environ = _secrets(tmp_path / "secrets")
    (tmp_path / "secrets" / name).write_bytes(written.encode())

    url = load_settings(environ=environ, folder=tmp_path).redis.url

    assert url is not None
    assert url.get_secret_value() == read


def test_an_empty_group_is_refused_for_its_replicas_would_join_the_default_one(tmp_path: Path) -> None:
    for environ in ({"MODERATOR_KAFKA__GROUP_ID": ""}, _secrets(tmp_path / "secrets", MODERATOR_KAFKA__GROUP_ID="\n")):
        with pytest.raises(ConfigurationError, match=r"MODERATOR_KAFKA__GROUP_ID` in .* is ``: .*at least 1 character"):
            load_settings(environ=environ, folder=tmp_path)


@pytest.mark.parametrize("level", ["INFO", "Info", "info"])
def test_levels_of_logs_may_be_in_upper_case(level: str, tmp_path: Path) -> None:
    environ = {"MODERATOR_LOG__LEVEL": level, "MODERATOR_LOG__LIBRARIES": level}

    log = load_settings(environ=environ, folder=tmp_path).log

    assert (log.level, log.libraries) == ("info", "info")


def test_a_broker_s_address_with_a_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"should be `host:port`, comma-separated, without `kafka://`"):
        load_settings(environ={"MODERATOR_KAFKA__BOOTSTRAP_SERVERS": "a:9092,kafka://b:9092"}, folder=tmp_path)


def test_secrets_mounted_by_kubernetes_are_read_through_their_links(tmp_path: Path) -> None:
    volume = tmp_path / "secrets"
    (volume / "..2026_11_23").mkdir(parents=True)
    (volume / "..2026_11_23" / "MODERATOR_REDIS__URL").write_text("redis://:hunter2@cache:6379/0")
    (volume / "..data").symlink_to("..2026_11_23")
    (volume / "MODERATOR_REDIS__URL").symlink_to("..data/MODERATOR_REDIS__URL")

    settings = load_settings(environ={"MODERATOR_SECRETS_DIR": str(volume)}, folder=tmp_path)

    assert settings.redis.url is not None
    assert settings.redis.url.get_secret_value() == "redis://:hunter2@cache:6379/0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODERATOR_SERVICE_HOST", "10.0.0.7"),
        ("MODERATOR_SERVICE_PORT", "8080"),
        ("MODERATOR_SERVICE_PORT_HTTP", "8080"),
        ("MODERATOR_PORT", "tcp://10.0.0.7:8080"),
        ("MODERATOR_PORT_8080_TCP", "tcp://10.0.0.7:8080"),
        ("MODERATOR_PORT_8080_TCP_ADDR", "10.0.0.7"),
        ("MODERATOR_HTTP_PORT", "tcp://10.0.0.7:8080"),
    ],
)
def test_what_kubernetes_says_about_a_service_called_moderator_is_no_setting(
    name: str, value: str, tmp_path: Path
) -> None:
    settings = load_settings(environ={name: value}, folder=tmp_path)

    assert settings == Settings()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("MODERATOR_KAFKA__GROUPID", "MODERATOR_KAFKA__GROUP_ID"),
        ("MODERATOR_HTTP_PORT", "MODERATOR_HTTP__PORT"),
        ("moderator_kafka__bootstrap_server", "MODERATOR_KAFKA__BOOTSTRAP_SERVERS"),
        ("MODERATOR_MAX_EVENTS_BYTES", "MODERATOR_MAX_EVENT_BYTES"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_one(name: str, nearest: str, tmp_path: Path) -> None:
    error = _error({name: "80"}, tmp_path)

    assert error == f"`{name.upper()}` in the environment is not a setting; the nearest is `{nearest}`"


def test_an_unknown_variable_stops_start_up_even_when_it_is_empty(tmp_path: Path) -> None:
    error = _error({"MODERATOR_KAFKA__TOPIC": ""}, tmp_path)

    assert "`MODERATOR_KAFKA__TOPIC` in the environment is not a setting" in error


def test_a_group_cannot_be_set_as_a_whole(tmp_path: Path) -> None:
    error = _error({"MODERATOR_KAFKA": "{"}, tmp_path)

    assert error == (
        "`MODERATOR_KAFKA` in the environment is a group of settings, such as `MODERATOR_KAFKA__BOOTSTRAP_SERVERS`"
    )


def test_an_unknown_key_in_the_file_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "moderator.yaml"
    path.write_text("kafka:\n  group: x\n8080: x\n")

    error = _error({}, tmp_path)

    assert error.splitlines()[0] == f"`kafka.group` in `{path}` is not a setting; the nearest is `kafka.group_id`"
    assert error.splitlines()[1].startswith(f"`8080` in `{path}` is not a setting")


def test_an_unknown_name_among_the_secrets_stops_start_up(tmp_path: Path) -> None:
    environ = _secrets(tmp_path / "secrets", MODERATOR_REDIS_URL="redis://:hunter2@cache")

    error = _error(environ, tmp_path)

    assert error.startswith(f"`MODERATOR_REDIS_URL` in the folder `{tmp_path / 'secrets'}` is not a setting")
    assert "hunter2" not in error


def test_every_wrong_value_has_its_line_with_key_and_place(tmp_path: Path) -> None:
    path = tmp_path / "moderator.yaml"
    path.write_text("window: {max_events: 0}\nhttp: {host: 7}\n")

    error = _error({"MODERATOR_HTTP__PORT": "80a", "MODERATOR_KAFKA__DELIVERY": "once"}, tmp_path)

    assert error.splitlines() == [
        "`MODERATOR_KAFKA__DELIVERY` in the environment is `once`: should be 'exactly_once' or 'at_least_once'",
        f"`window.max_events` in `{path}` is `0`: should be greater than 0",
        f"`http.host` in `{path}` is `7`: should be a valid string",
        (
            "`MODERATOR_HTTP__PORT` in the environment is `80a`: should be a valid integer, "
            "unable to parse string as an integer"
        ),
    ]


@pytest.mark.parametrize(("given", "shown"), [("x" * 60, "x" * 60), ("x" * 61, "x" * 60 + "…"), ("a\nb", "a b")])
def test_a_wrong_value_is_shown_in_one_line_and_not_without_end(tmp_path: Path, given: str, shown: str) -> None:
    error = _error({"MODERATOR_HTTP__PORT": given}, tmp_path)

    assert error.startswith(f"`MODERATOR_HTTP__PORT` in the environment is `{shown}`: should be a valid integer")
    assert "\n" not in error


def test_a_wrong_flag_is_blamed_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^`kafka\.bootstrap_servers` in the command line is ``: should have"):
        load_settings({"kafka.bootstrap_servers": ""}, environ={}, folder=tmp_path)


@pytest.mark.parametrize(
    ("environ", "file"),
    [
        ({"MODERATOR_REDIS__URL": "http://:hunter2@cache"}, ""),
        ({}, "redis: {url: [hunter2]}"),
        ({}, "kafka: {sasl_password: 5, sasl_username: [x]}\nredis: {url: 'x://hunter2'}"),
        ({}, "redis: {url: hunter2, url: hunter2}"),
        ({}, "redis: {url: 'hunter2"),
        ({}, "redis:\n  url: hunter2\n port: hunter2"),
        ({}, "hunter2"),
        ({}, "- hunter2"),
        ({}, "kafka: {sasl_password: *hunter2}"),
        ({}, "kafka: {sasl_password: !hunter2 x}"),
        ({}, "kafka: {sasl_password: !!int hunter2}"),
        ({}, "kafka: {sasl_password: !!bool hunter2}"),
        ({}, "kafka: {sasl_password: !!timestamp hunter2}"),
        ({}, "kafka: {sasl_password: {hunter2: x}}"),
        ({}, "kafka: {sasl_password: {hunter2}}"),
        ({}, "kafka: {sasl_password: hunt,hunter2}"),
        ({}, "kafka: {sasl_password:hunter2}"),
        ({}, "redis: {url: {hunter2: {x: 1}}}"),
    ],
)
def test_no_error_shows_a_secret(environ: dict[str, str], file: str, tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text(file)

    error = _error(environ, tmp_path)

    assert error
    assert "hunter2" not in error


def test_a_damaged_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text("log: {level: info}\nhttp: {port: 1, port: 2}\n")

    error = _error({}, tmp_path)

    assert error == f"`{tmp_path / 'moderator.yaml'}` line 2: a key occurs twice"


def test_a_secret_that_looks_like_yaml_is_told_to_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text("kafka:\n  sasl_password: *Passw0rd\n")

    error = _error({}, tmp_path)

    quoted = "quote values that begin with `*`, `&`, `!`, `%`, `@`"
    assert error == f"`{tmp_path / 'moderator.yaml'}` line 2: not valid YAML: check its indentation, and {quoted}"


def test_keys_below_a_setting_are_its_wrong_value(tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text("kafka: {sasl_password: {a: b}}\nhttp: {port: {a: 1}}\n")

    error = _error({}, tmp_path)

    assert error.splitlines()[0].endswith("should be a valid string")
    assert "is not a setting" not in error


@pytest.mark.parametrize(
    ("content", "where"), [("kafka: {group_id:x}", "a key below `kafka`"), ("group_id:", "a key has no value")]
)
def test_an_unknown_key_stops_start_up_even_without_a_value(content: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_text(content)

    error = _error({}, tmp_path)

    assert where in error
    assert "has no value" in error


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\xff",
        b"a: \x00",
        b"%YAML 9.9\n---\na: 1",
        b"a: !!python/object:os.system x",
        b"kafka: {sasl_password: 2026-99-99}",
        b"http: {port: !!int ''}",
        b"a: " + b"[" * 1000,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_file_that_is_not_plain_yaml_is_an_error_of_ours(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").write_bytes(content)

    error = _error({}, tmp_path)

    assert "moderator.yaml" in error


def test_a_file_that_is_a_folder_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "moderator.yaml").mkdir()

    error = _error({}, tmp_path)

    assert error == f"`{tmp_path / 'moderator.yaml'}` cannot be read: Is a directory"


def test_a_secrets_folder_that_is_not_there_stops_start_up(tmp_path: Path) -> None:
    error = _error({"MODERATOR_SECRETS_DIR": str(tmp_path / "absent")}, tmp_path)

    assert error.startswith(f"`MODERATOR_SECRETS_DIR` is `{tmp_path / 'absent'}`: ")
    assert "does not exist" in error


def test_a_file_in_place_of_the_secrets_folder_stops_start_up(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("hunter2")

    error = _error({"MODERATOR_SECRETS_DIR": str(tmp_path / "secrets")}, tmp_path)

    assert error == f"`MODERATOR_SECRETS_DIR` is `{tmp_path / 'secrets'}`: Not a directory"


def test_a_secret_that_is_not_text_stops_start_up(tmp_path: Path) -> None:
    environ = _secrets(tmp_path / "secrets")
    (tmp_path / "secrets" / "MODERATOR_REDIS__URL").write_bytes(b"\xff")

    error = _error(environ, tmp_path)

    assert error.endswith("a file there is not UTF-8 text")
