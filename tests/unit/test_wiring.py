import threading
from pathlib import Path

import pytest

from moderator.errors import ConfigurationError
from moderator.settings import load_settings
from moderator.wiring import run_stream


def test_an_address_that_is_none_of_redis_is_told_before_model_and_policies_are_read(tmp_path: Path) -> None:
    settings = load_settings(
        environ={
            "MODERATOR_REDIS__URL": "redis://user:hunter2@cache:notaport/0",
            "MODERATOR_MODEL__PATH": str(tmp_path / "no-model"),
            "MODERATOR_POLICIES__PATH": str(tmp_path / "no-policies"),
        },
        folder=tmp_path,
    )

    with pytest.raises(ConfigurationError, match="MODERATOR_REDIS__URL") as caught:
        run_stream(settings, threading.Event(), threading.Event())

    assert "hunter2" not in str(caught.value)
