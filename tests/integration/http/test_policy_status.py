"""`policy status --url` on the real route, over a real socket: both ends agree on what is said."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moderator.cli.app import main
from moderator.errors import PolicyError
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.policy.live.refusal import Refusal, refusal_of
from tests.builders import POLICY_FILES, write_files
from tests.servers.http_stage import TOKEN, a_stage, served

FAILING = "{test: all is flagged, given: {event: {speaker: user}, scores: {safety: 0.9}}, expect: {verdict: flag}}"


def refused(folder: Path) -> Refusal:
    tests = f"tests_for: safety\ntests:\n  - {FAILING}\n"
    state = read_folder(write_files(folder, POLICY_FILES | {"safety.test.yaml": tests}))
    with pytest.raises(PolicyError) as caught:
        Admission().admit(state)
    return refusal_of(state, caught.value)


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str]]:
    def run(port: int, *options: str, token: str = TOKEN) -> tuple[object, str]:
        monkeypatch.setenv("MODERATOR_HTTP__TOKEN", token)
        monkeypatch.setattr(
            sys, "argv", ["moderator", "policy", "status", "--url", f"http://127.0.0.1:{port}", *options]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    return run


def test_a_replica_says_what_decides(status: Callable[..., tuple[object, str]], tmp_path: Path) -> None:
    with a_stage(tmp_path) as stage, served(stage) as port:
        code, out = status(port, "--json")

    assert code == 0
    assert json.loads(out[out.index("{\n") :]) == {
        "in_force": {"snapshot": stage.status.snapshot, "since": "2026-09-21T14:13:20.000Z"},
        "folder": {"state": "accepted", "problems": []},
        "ignored": [],
    }


def test_a_replica_that_refuses_an_edit_names_test_and_owner(
    status: Callable[..., tuple[object, str]], tmp_path: Path
) -> None:
    with a_stage(tmp_path / "running") as stage, served(stage) as port:
        problems = refused(tmp_path / "edited").problems
        stage.status = stage.status._replace(folder="refused", problems=problems, ignored=("x.yaml.txt",))

        code, out = status(port)

    assert code == 1
    assert 'error safety.test.yaml:3:12 the test "all is flagged" fails\n' in out
    assert "owner: trust-safety@example.com" in out
    assert "ignored   1 file that does not count: x.yaml.txt\n" in out


def test_a_wrong_token_is_wrong_usage(status: Callable[..., tuple[object, str]], tmp_path: Path) -> None:
    with a_stage(tmp_path) as stage, served(stage) as port:
        code, _ = status(port, token="another-token-of-the-tests")

    assert code == 2
