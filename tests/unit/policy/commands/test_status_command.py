"""`policy status` on folders and on a replica that answers over real HTTP."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from moderator.policy import load_policies
from moderator.policy.live.snapshot_store import SnapshotStore
from tests.builders import FAILING, POLICY_FILES, write_files
from tests.command import Command, Ran, command_line

TOKEN = "a-token-of-the-tests"
STATUS = {
    "ready": True,
    "version": "0.2.0",
    "instance": "a1b2c3",
    "model": {"name": "builtin"},
    "policies": {
        "snapshot": "sha256:6cfd",
        "source": "sha256:aaaa",
        "since": "2026-11-29T10:00:00Z",
        "folder": "in force",
        "stale_s": 0.0,
        "ignored": [],
        "problems": [],
    },
}
PROBLEM = {
    "code": "P031",
    "severity": "error",
    "file": "chat-safety.yaml",
    "line": 12,
    "column": 15,
    "message": "30 is outside the scale of safety",
    "hint": "did you mean 0.30?",
    "owner": "trust@example.com",
}


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command_line(monkeypatch, capsys, "policy", "status")


@dataclass
class Replica:
    """Answers every request with one status code and one body; keeps what it was asked."""

    code: int = 200
    body: bytes = json.dumps(STATUS).encode()
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def say(self, **policies: Any) -> None:
        self.body = json.dumps(STATUS | {"policies": {**STATUS["policies"], **policies}}).encode()  # type: ignore[dict-item]


@pytest.fixture
def replica() -> Iterator[Replica]:
    said = Replica()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said.asked.append((self.path, self.headers["Authorization"]))
            self.send_response(said.code)
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        said.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield said
        server.shutdown()
        thread.join()


def a_refused_folder(folder: Path) -> Path:
    return write_files(folder, POLICY_FILES | {"safety.test.yaml": FAILING})


def test_an_accepted_folder_says_what_a_start_would_decide_by(status: Command, tmp_path: Path) -> None:
    snapshot = load_policies(write_files(tmp_path / "policies", POLICY_FILES)).snapshot

    ran, as_json = status(), status("--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"in force  snapshot {snapshot}\nfolder    policies: accepted\nrules     2 (1 live, 1 shadow, 0 off)\n"
    )
    assert json.loads(as_json.out) == {
        "in_force": {"snapshot": snapshot, "since": None},
        "folder": {"state": "accepted", "problems": []},
        "ignored": [],
    }


def test_lists_are_named_with_their_entries(status: Command, tmp_path: Path) -> None:
    words = "  scam: {about: Scam wording, from_text: {words: lists/scam.txt}}\n"
    in_place = "  bots: {about: The bot, from_text: {words: [good bot]}}\n"
    write_files(tmp_path / "policies", POLICY_FILES | {"signals.yaml": POLICY_FILES["signals.yaml"] + words + in_place})
    write_files(tmp_path / "policies" / "lists", {"scam.txt": "# ours\nfree donation\nscam\n"})

    assert [line for line in status().out.splitlines() if line.startswith("list")] == [
        "list      lists/scam.txt, 2 entries"
    ]


def test_a_refused_folder_ends_with_1_and_names_test_file_and_owner(status: Command, tmp_path: Path) -> None:
    folder = a_refused_folder(tmp_path / "policies")

    ran, as_json = status(folder), status(folder, "--json")

    assert (ran.code, as_json.code) == (1, 1)
    assert ran.out == (
        f"in force  nothing: a start would end here\nfolder    {folder}: refused\n"
        'error P075 safety.test.yaml:3:11 the test "everything is flagged" fails\n'
        "   3 |   - test: everything is flagged\n"
        "     |           ^^^^^^^^^^^^^^^^^^^^^ verdict: expected flag, got allow; owner: trust-safety@example.com; "
        "anyone may mark the test known_gap: true instead\n"
    )
    (problem,) = json.loads(as_json.out)["folder"]["problems"]
    assert (problem["code"], problem["file"], problem["owner"]) == (
        None,
        "safety.test.yaml",
        "trust-safety@example.com",
    )


def test_an_error_in_a_policy_names_its_owner_below(status: Command, tmp_path: Path) -> None:
    broken = POLICY_FILES["safety.yaml"].replace("below 0.30", "below 30")
    folder = write_files(tmp_path / "policies", POLICY_FILES | {"safety.yaml": broken})

    ran = status(folder)

    assert "error P031 safety.yaml:" in ran.out
    assert "     | owner of safety: trust-safety@example.com\n" in ran.out


def test_what_does_not_count_is_named(status: Command, tmp_path: Path) -> None:
    write_files(tmp_path / "policies", POLICY_FILES | {"x.yaml.txt": "policy: x"})

    ran, as_json = status(), status("--json")

    assert (ran.code, "ignored   1 file that does not count: x.yaml.txt\n" in ran.out) == (0, True)
    assert json.loads(as_json.out)["ignored"] == ["x.yaml.txt"]


def test_where_the_last_good_policies_are_kept_a_start_would_use_these(
    status: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {name: text.encode() for name, text in POLICY_FILES.items()}
    store = SnapshotStore(tmp_path / "state")
    store.create()
    store.keep(load_policies(good).snapshot, good)
    monkeypatch.setenv("MODERATOR_POLICIES__STATE_DIR", str(tmp_path / "state"))
    a_refused_folder(tmp_path / "policies")

    ran = status()

    assert ran.code == 1
    assert ran.out.startswith(
        f"in force  snapshot {load_policies(good).snapshot}\nfolder    policies: refused, the last "
    )


def test_a_folder_that_is_not_there_is_wrong_usage(status: Command) -> None:
    ran = status("nowhere")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: there is no folder `nowhere`: name one, or make one with `moderator policy init`\n"


def test_a_replica_is_asked_with_a_token_and_says_since_when(
    status: Command, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATOR_HTTP__TOKEN", f"{TOKEN}, another-token-of-the-tests")

    ran = status("--url", f"{replica.url}/")

    assert ran == Ran(
        0, f"in force  snapshot sha256:6cfd, since 2026-11-29T10:00:00Z\nfolder    {replica.url}/: accepted\n", ""
    )
    assert replica.asked == [("/v1/status", f"Bearer {TOKEN}")]


def test_a_replica_that_refuses_an_edit_says_why(status: Command, replica: Replica) -> None:
    replica.say(folder="refused", problems=[PROBLEM], ignored=["old.yaml.txt"])

    ran, as_json = status("--url", replica.url), status("--url", replica.url, "--json")

    assert (ran.code, as_json.code) == (1, 1)
    assert ran.out == (
        "in force  snapshot sha256:6cfd, since 2026-11-29T10:00:00Z\n"
        f"folder    {replica.url}: refused, the last good policies decide\n"
        "ignored   1 file that does not count: old.yaml.txt\n"
        "error P031 chat-safety.yaml:12:15 30 is outside the scale of safety\n"
        "     | did you mean 0.30?\n"
        "     | owner: trust@example.com\n"
    )
    assert json.loads(as_json.out) == {
        "in_force": {"snapshot": "sha256:6cfd", "since": "2026-11-29T10:00:00Z"},
        "folder": {"state": "refused", "problems": [PROBLEM]},
        "ignored": ["old.yaml.txt"],
    }


@pytest.mark.parametrize(("folder", "state"), [("pending", "pending"), ("unreadable", "refused")])
def test_what_is_not_accepted_yet_ends_with_1(status: Command, replica: Replica, folder: str, state: str) -> None:
    replica.say(folder=folder)

    ran = status("--url", replica.url, "--json")

    assert (ran.code, json.loads(ran.out)["folder"]["state"]) == (1, state)


def test_nobody_at_the_address_ends_with_3(status: Command) -> None:
    with socket.socket() as held:  # others can neither listen there nor take the port
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"

        ran = status("--url", url)

    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"error: no replica answers at `{url}`: connection refused; is it running, and is this its HTTP port?\n"
    )


@pytest.mark.parametrize(
    ("answer", "ends", "reported"),
    [
        ((401, b"{}"), 2, "answers 401: set `MODERATOR_HTTP__TOKEN` to one of the tokens of that replica"),
        ((403, b"{}"), 2, "answers 403: set `MODERATOR_HTTP__TOKEN`"),
        ((404, b"{}"), 2, "it is no moderator of this version"),
        ((503, b"{}"), 3, "it answers 503"),
        ((200, b"<html>"), 2, "does not speak HTTP and JSON as a replica does"),
        ((200, b"[1]"), 2, "is no moderator that reports its policies"),
        ((200, b'{"policies": {"folder": 7}}'), 2, "is no moderator that reports its policies"),
    ],
)
def test_what_answers_otherwise_is_one_error_with_a_remedy(
    status: Command, replica: Replica, answer: tuple[int, bytes], ends: int, reported: str
) -> None:
    replica.code, replica.body = answer

    ran = status("--url", replica.url)

    assert (ran.code, ran.out, ran.err.count("\n")) == (ends, "", 1)
    assert reported in ran.err


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (("policies", "--url", "http://127.0.0.1:8080"), "not both"),
        (("--url", "file:///etc/passwd"), "is no address of a replica: write `http://HOST:PORT`"),
        (("--url", "http://[::1"), "is no address of a replica"),
    ],
)
def test_wrong_usage_is_said_in_one_line(status: Command, arguments: tuple[str, ...], reported: str) -> None:
    ran = status(*arguments)

    assert (ran.code, ran.out, reported in ran.err) == (2, "", True)
