"""Settings as an operator sees them."""

import shlex
from pathlib import Path

from moderator.settings import effective_settings, load_settings, settings_table


def _environ(lines: str) -> dict[str, str]:
    words = shlex.split(lines, comments=True)
    return dict(word.split("=", 1) for word in words)


def test_shown_settings_can_be_read_back(tmp_path: Path) -> None:
    settings = load_settings(
        {"model.path": "my models/8B", "kafka.instance_id": "it's 1"}, environ={"MODERATOR_LOG__LEVEL": "debug"}
    )

    again = load_settings(environ=_environ(effective_settings(settings)), folder=tmp_path)

    assert again == settings


def test_shown_settings_hide_secrets_but_say_that_they_are_set() -> None:
    shown = effective_settings(load_settings(environ={"MODERATOR_REDIS__URL": "redis://:hunter2@cache"}))

    assert "hunter2" not in shown
    assert "# MODERATOR_REDIS__URL is set and secret\n" in shown
    assert "# MODERATOR_KAFKA__SASL_PASSWORD is not set\n" in shown


def test_every_setting_has_a_meaning_in_the_table() -> None:
    rows = settings_table().splitlines()[2:]

    meanings = [row.split("|")[3].strip() for row in rows]

    assert all(meaning.endswith(".") for meaning in meanings)
    assert "| `MODERATOR_REDIS__URL` | unset (secret) |" in settings_table()
