"""`moderator policy status`: which policies decide, what the folder holds now, and why an edit was refused."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moderator.cli import exit_codes
from moderator.cli.policy.output import DEFAULT_FOLDER, write_json
from moderator.counted import counted
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moderator.policy import PolicySet
    from moderator.policy.live.start import Start
    from moderator.replica_status import PolicyProblem, ReplicaPolicies

State = Literal["accepted", "refused", "pending"]
_STATES: dict[str, State] = {"in force": "accepted", "refused": "refused", "pending": "pending"}


@dataclass(frozen=True, slots=True)
class Status:
    """What there is to say of a folder.

    Attributes:
        place: the folder, or the replica's address.
        snapshot: of the policies that decide, or that a start would decide by; None: there are none.
        since: since when they do, ISO 8601; None where nothing runs.
        blocks: each problem as text.
        facts: more about the policies that decide, each a term and a text.
    """

    place: str
    snapshot: str | None
    since: str | None
    state: State
    problems: "list[dict[str, object]]"
    blocks: "list[str]"
    ignored: "Sequence[str]"
    facts: "Sequence[tuple[str, str]]" = ()

    @property
    def record(self) -> dict[str, object]:
        """The status as programs read it."""
        return {
            "in_force": {"snapshot": self.snapshot, "since": self.since},
            "folder": {"state": self.state, "problems": self.problems},
            "ignored": list(self.ignored),
        }


def status(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A policy folder: what a start would do. Else ./policies.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="http://HOST:PORT", help="A replica: what it does now.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Say which policies decide, what the folder holds now, and why that is refused.

    Exit 0: accepted, 1: refused or pending, 2: wrong usage, no such folder or no access, 3: no replica answers.
    """
    from moderator.settings import load_settings

    if folder is not None and url is not None:
        raise ConfigurationError("name a folder or `--url`, not both: a replica has its own folder")
    settings = load_settings()
    if url is not None:
        from moderator.replica_status import read_replica

        found = _of_replica(url, read_replica(url, settings.http.token, "MODERATOR_HTTP__TOKEN"))
    else:
        found = _of_folder(folder or DEFAULT_FOLDER, settings.policies.state_dir)
    if as_json:
        write_json(found.record)
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(found))
    raise typer.Exit(exit_codes.OK if found.state == "accepted" else exit_codes.CHECK_FAILED)


def _of_folder(folder: Path, state_dir: Path | None) -> Status:
    """Do what a start does up to the model, without changing anything."""
    from moderator.errors import PolicyError
    from moderator.policy.live.admission import Admission
    from moderator.policy.live.folder_watch import read_folder
    from moderator.policy.live.refusal import refusal_of
    from moderator.policy.live.snapshot_store import SnapshotStore
    from moderator.policy.live.start import choose

    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder `{folder}`: name one, or make one with `moderator policy init`")
    state = read_folder(folder)
    start: Start | None = None
    try:
        start = choose(state, Admission(), SnapshotStore(state_dir) if state_dir else None)
        refusal = start.refusal
    except PolicyError as error:
        refusal = refusal_of(state, error)
    policies = start.accepted.policies if start else None
    return Status(
        str(folder),
        policies.snapshot if policies else None,
        None,
        "refused" if refusal else "accepted",
        [problem.record for problem in refusal.problems] if refusal else [],
        [_with_owner(problem.text, problem.policy, problem.owner) for problem in refusal.problems] if refusal else [],
        state.uncounted,
        tuple(_facts(policies)) if policies else (),
    )


def _facts(policies: "PolicySet") -> "Iterator[tuple[str, str]]":
    from moderator.policy.language.text_source import IN_PLACE

    modes = [rule.mode for rule in policies.rules]
    shares = ", ".join(f"{modes.count(mode)} {mode}" for mode in ("live", "shadow", "off"))
    yield "rules", f"{len(modes)} ({shares})"
    lists = {signal.text.entries for signal in policies.signals if signal.text and signal.text.entries}
    for entries in sorted(lists, key=lambda each: each.name):
        if entries.name != IN_PLACE:
            yield (
                "list",
                f"{entries.name}, {counted(len(entries.entries), 'entry', 'entries')}",
            )


def _of_replica(url: str, policies: "ReplicaPolicies") -> Status:
    return Status(
        url,
        policies["snapshot"],
        policies["since"],
        _STATES.get(policies["folder"], "refused"),  # unreadable: what is there cannot decide either
        [dict(problem) for problem in policies["problems"]],
        [_block(problem) for problem in policies["problems"]],
        policies["ignored"],
    )


def _block(problem: "PolicyProblem") -> str:
    """Write a problem of which the replica's file is not available."""
    from moderator.policy.syntax.diagnostics import printable

    place = ":".join(str(part) for part in (problem["file"], problem["line"], problem["column"]) if part is not None)
    head = " ".join(filter(None, (problem["severity"], problem["code"], place, problem["message"])))
    hint = f"\n     | {printable(problem['hint'])}" if problem["hint"] else ""
    return _with_owner(f"{printable(head)}{hint}", None, problem.get("owner"))


def _with_owner(block: str, policy: str | None, owner: str | None) -> str:
    from moderator.policy.syntax.diagnostics import printable

    if owner is None or owner in block:
        return block
    of = f" of {printable(policy)}" if policy else ""
    return f"{block}\n     | owner{of}: {printable(owner)}"


def _lines(found: Status) -> "Iterator[str]":
    since = f", since {found.since}" if found.since else ""
    yield f"in force  {f'snapshot {found.snapshot}{since}' if found.snapshot else 'nothing: a start would end here'}"
    kept = ", the last good policies decide" if found.state == "refused" and found.snapshot else ""
    yield f"folder    {found.place}: {found.state}{kept}"
    yield from (f"{term:<8}  {text}" for term, text in found.facts)
    if found.ignored:
        do = "does" if len(found.ignored) == 1 else "do"
        yield f"ignored   {counted(len(found.ignored), 'file')} that {do} not count: {', '.join(found.ignored)}"
    for block in found.blocks:
        yield from block.split("\n")
