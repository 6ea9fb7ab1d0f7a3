"""The console is a light process: it loads no model's library, and no client of a server that it does not ask."""

import subprocess
import sys

SCRIPT = """
import sys
from pathlib import Path
from moderator.console.app import create_app
from moderator.console.running import console_for
from moderator.settings import ConsoleSettings, Settings
settings = Settings(console=ConsoleSettings(**{given}))
console = console_for(settings)
create_app(console)
if settings.console.decisions_file:
    console.source.run()
console.folder.read()
print(*sorted({"torch", "transformers", "kafka", "redis"} & set(sys.modules)))
"""


def _loaded(given: str) -> str:
    command = [sys.executable, "-c", SCRIPT.replace("{given}", given)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_file_of_decisions_needs_no_client_and_no_model() -> None:
    assert _loaded('{"decisions_file": Path("/dev/null")}') == ""


def test_topics_need_kafkas_client_alone() -> None:
    assert _loaded("{}") == "kafka"
