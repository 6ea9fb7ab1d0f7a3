"""The policy commands as processes of their own: what they load, and how long that takes."""

import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from tests.unit.policy.folders import a_folder, a_policy, a_rule

EXAMPLES = Path(__file__).parents[3] / "policies"
MOST_ROUNDS = 20
"""Other work on the machine only ever adds time: the least of several rounds comes nearest the truth."""


@pytest.mark.parametrize("statement", ["import moderator.policy", "import moderator.cli.policy"])
def test_policies_load_no_heavy_client(statement: str) -> None:
    heavy = "{'torch', 'transformers', 'kafka', 'redis', 'pydantic', 'numpy', 'rich', 'fastapi'}"
    code = f"{statement}\nimport sys\nprint(sorted({heavy} & set(sys.modules)))"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    "command",
    [
        ["check", EXAMPLES],
        ["test", EXAMPLES, "--mutate", "--suggest"],
        ["explain", "--words", "reply-safety", "--policies", EXAMPLES],
        ["diff", EXAMPLES, EXAMPLES],
        ["schema", "--policies", EXAMPLES, "--output", "-"],
    ],
    ids=lambda command: command[0],
)
def test_no_tool_loads_torch_kafka_or_redis(command: list[str | Path]) -> None:
    code = (
        f"import sys\nfrom moderator.__main__ import main\nsys.argv = {['moderator', 'policy', *map(str, command)]}\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "print(sorted({'torch', 'kafka', 'redis', 'transformers', 'numpy'} & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ["check", "test"])
def test_checking_answers_within_a_second_of_work(name: str) -> None:
    command = [sys.executable, "-m", "moderator", "policy", name, str(EXAMPLES)]
    seconds: list[float] = []

    while not seconds or (min(seconds) >= 1 and len(seconds) < MOST_ROUNDS):
        before = getrusage(RUSAGE_CHILDREN).ru_utime
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(getrusage(RUSAGE_CHILDREN).ru_utime - before)

    assert min(seconds) < 1


def test_letters_that_the_terminal_lacks_are_written_as_escapes(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule("s\u00e4fety: below 0.30")))
    command = [sys.executable, "-m", "moderator", "policy", "check", str(folder)]

    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )

    assert (ran.returncode, ran.stderr) == (1, "")
    assert r'there is no signal called "s\xe4fety"' in ran.stdout
