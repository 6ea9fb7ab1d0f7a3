"""`moderator policy explain`: why an event was decided as it was, or what a rule says, in words."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from moderator.cli import exit_codes
from moderator.cli.policy.output import DEFAULT_FOLDER, WIDTH
from moderator.cli.streams import open_input
from moderator.errors import ConfigurationError, PolicyError, reason_of
from moderator.objectives import BUILTIN

if TYPE_CHECKING:
    from moderator.cli.policy.snapshots import Snapshots
    from moderator.events import Decision
    from moderator.policy import PolicySet
    from moderator.policy.language.ast import Rule


def explain(
    decision: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Recorded decisions: one JSON object, or one a line.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Chat events, likewise: scored first, then explained.")
    ] = None,
    words: Annotated[
        str | None, typer.Option(metavar="RULE", help="Read a rule aloud, by its id or name, or all of a policy.")
    ] = None,
    policies: Annotated[
        Path, typer.Option(metavar="DIR", help="The policy folder; also looked into for a decision's snapshot.")
    ] = DEFAULT_FOLDER,
    model: Annotated[
        str | None, typer.Option(help="With --event: a model folder, a hub id, or `builtin`, the default.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, one object a line.")] = False,
) -> None:
    """Explain a decision, an event or a rule. Exit 1: decided again, a decision comes out otherwise."""
    if (decision, event, words).count(None) != 2:  # noqa: PLR2004 - two of the three
        raise ConfigurationError("name one of `--decision FILE`, `--event FILE` and `--words RULE`")
    if words is not None:
        _read_aloud(words, policies, as_json=as_json)
        return
    if decision is not None:
        decisions = _read_decisions(decision)
    else:
        assert event is not None
        from moderator.cli.policy.scored import score_events

        decisions = score_events(event, model, policies)
    raise typer.Exit(_explain_all(decisions, policies, as_json=as_json))


def _read_aloud(name: str, folder: Path, *, as_json: bool) -> None:
    from moderator.policy import load_policies
    from moderator.policy.analysis.descriptions import describe_rule

    policies = load_policies(folder)
    for index, rule in enumerate(_named(name, policies)):
        words = describe_rule(rule, policies.exemptions)
        if as_json:
            _write_line({"rule": rule.id, "words": words})
        else:
            blank = "\n" if index else ""
            sys.stdout.write(f"{blank}{fill(words, WIDTH, break_on_hyphens=False, break_long_words=False)}\n")


def _named(name: str, policies: "PolicySet") -> "list[Rule]":
    """Give the rule of that id, else all rules of that name, else all of the policy.

    Raises:
        ConfigurationError: nothing is called so.
    """
    from moderator.policy.syntax.diagnostics import did_you_mean, quote

    ids = {rule.id: rule for rule in policies.rules}
    found = (
        [rule for rule in policies.rules if rule.id == name]
        or [rule for rule in policies.rules if rule.id.partition("/")[2] == name]
        or [rule for rule in policies.rules if rule.id.partition("/")[0] == name]
    )
    if not found:
        near = did_you_mean(name, [*ids, *(rule.partition("/")[2] for rule in ids)])
        hint = near or f"there are: {', '.join(ids)}"
        raise ConfigurationError(f"there is no rule or policy called {quote(name)}; {hint}")
    return found


def _read_decisions(file: str) -> "Iterator[Decision]":
    from moderator.backtest.decision import NoDecisionError, explain, read_decision

    for place, value in read_objects(file):
        try:
            decision = read_decision(value)
            fault = explain(decision)
        except NoDecisionError as error:
            fault = error
        if fault is not None:
            raise ConfigurationError(f"cannot explain `{file}`, {place}: {fault}")
        yield decision


def read_objects(file: str) -> Iterator[tuple[str, bytes]]:
    """Give each JSON text of a file and its place: every line, or the file as a whole where it is one text.

    Raises:
        ConfigurationError: the file cannot be read, or there is nothing in it.
    """
    with _opened(file) as stream:
        lines = ((f"line {number}", line) for number, line in enumerate(stream, start=1) if line.strip())
        first = next(lines, None)
        if first is None:
            raise ConfigurationError(f"there is nothing in `{file}`")
        place, line = first
        if not _is_json(line) and _is_json(whole := line + stream.read()):
            line = whole
        yield place, line
        yield from lines


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    try:
        with BufferedReader(open_input(file)) as stream:
            yield stream
    except OSError as error:
        raise ConfigurationError(f"cannot read `{file}`: {reason_of(error)}") from error


def _is_json(text: bytes) -> bool:
    import json

    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _explain_all(decisions: "Iterator[Decision]", folder: Path, *, as_json: bool) -> int:
    from moderator.cli.policy.snapshots import Snapshots
    from moderator.policy.authoring.explain import explain
    from moderator.settings import load_settings

    snapshots = Snapshots(load_settings().policies.state_dir, folder)
    code = exit_codes.OK
    is_practice = False
    for index, decision in enumerate(decisions):
        is_practice |= decision["model"]["name"] == BUILTIN
        policies = snapshots.find(decision["policy"]["snapshot"])
        differs = None if policies is None else _differs(decision, policies)
        code = exit_codes.CHECK_FAILED if differs else code
        if as_json:
            _write_line(_record(decision, policies, differs))
        else:
            note = _note(decision, snapshots, differs, is_found=policies is not None)
            sys.stdout.write(f"{'' if index == 0 else chr(10)}{explain(decision, policies)}{note}")
    if is_practice:
        sys.stderr.write(f"scored by the practice model `{BUILTIN}`\n")
    return code


def difference(decision: "Decision", policies: "PolicySet") -> str | None:
    """Decide a recorded decision again; give the first part that comes out otherwise, in words.

    Raises:
        PolicyError: the policies do not suit the model that scored.
    """
    from moderator.backtest.counting.fidelity import Fidelity
    from moderator.backtest.replay import ReplayedDecision, Replayer, replay_input_of

    question = replay_input_of(decision)
    judgement = Replayer(policies).judge(question)
    fidelity = Fidelity(decision["policy"]["snapshot"])
    fidelity.add(ReplayedDecision((0, 0), decision, question, judgement, judgement, label=None))
    return fidelity.differences[0].what if fidelity.differences else None


def _differs(decision: "Decision", policies: "PolicySet") -> str | None:
    try:
        return difference(decision, policies)
    except PolicyError:
        return "the snapshot does not suit the model that is recorded"


def _note(decision: "Decision", snapshots: "Snapshots", differs: str | None, *, is_found: bool) -> str:
    """Say what is to be known of the snapshot; nothing where it decides again as recorded."""
    if differs is not None:
        return _filled(f"differs: decided again by its snapshot, it comes out otherwise: {differs}")
    if is_found:
        return ""
    today = _as_of_today(decision, snapshots)
    return _filled(f"shown as recorded: its snapshot is {snapshots.places}, so it was not decided again; {today}")


def _as_of_today(decision: "Decision", snapshots: "Snapshots") -> str:
    today = snapshots.today()
    if isinstance(today, PolicyError):
        return "the policies there today cannot be used"
    try:
        now = difference(decision, today)
    except PolicyError:
        return "the policies there today do not suit the model that scored it"
    return "the policies there today decide it the same" if now is None else f"the policies there today differ: {now}"


def _filled(text: str) -> str:
    filled = fill(text, WIDTH, initial_indent=" ", subsequent_indent="   ", break_on_hyphens=False)
    return f"{filled}\n"


def _record(decision: "Decision", policies: "PolicySet | None", differs: str | None) -> dict[str, object]:
    return {
        "event": decision["event"]["id"],
        "decision_id": decision["decision_id"],
        "snapshot": decision["policy"]["snapshot"],
        "snapshot_found": policies is not None,
        "differs": differs,
        "verdict": decision["verdict"],
        "severity": decision["severity"],
        "status": decision["status"],
        "reasons": decision["reasons"],
        "labels": decision["labels"],
        "shadow_verdict": decision["shadow_verdict"],
        "rules": decision["rules"],
    }


def _write_line(record: dict[str, object]) -> None:
    import json

    sys.stdout.write(json.dumps(record) + "\n")
