"""`moderator policy explain`: why an event was decided as it was, or what a rule says, in words."""

import json
import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.options import Draft
from moderator.cli.policy.explaining.deciding_again import difference_by_snapshot, note
from moderator.cli.policy.explaining.decisions import recorded_decisions, score_events
from moderator.cli.policy.explaining.rules import described_rules
from moderator.cli.policy.explaining.snapshots import Snapshots
from moderator.cli.policy.output import DEFAULT_FOLDER, WIDTH
from moderator.errors import ConfigurationError
from moderator.objectives import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderator.events import Decision
    from moderator.policy import PolicySet


def explain(
    decision: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Recorded decisions: one JSON object, or one a line.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Chat events, likewise: scored first, then explained.")
    ] = None,
    words: Annotated[
        str | None, typer.Option(metavar="RULE", help="Say what a rule does, by its id or name, or all of a policy.")
    ] = None,
    policies: Annotated[
        Path, typer.Option(metavar="DIR", help="The policy folder; also searched for a decision's snapshot.")
    ] = DEFAULT_FOLDER,
    model: Annotated[
        str | None, typer.Option(help="With --event: a model folder, a hub id, or `builtin`, the default.")
    ] = None,
    *,
    draft: Draft = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, one object a line.")] = False,
) -> None:
    """Explain a decision, an event or a rule. Exit 1: decided again, a decision comes out otherwise."""
    if (decision, event, words).count(None) != 2:  # noqa: PLR2004 - two of the three
        raise ConfigurationError("name one of `--decision FILE`, `--event FILE` and `--words RULE`")
    if draft and event is None:
        raise ConfigurationError("`--draft` goes with `--event FILE` alone")
    if words is not None:
        _describe_rules(words, policies, as_json=as_json)
    elif decision is not None:
        raise typer.Exit(_explain_all(recorded_decisions(decision), policies, as_json=as_json))
    elif event is not None:
        raise typer.Exit(_explain_all(score_events(event, model, policies, is_draft=draft), policies, as_json=as_json))


def _describe_rules(name: str, folder: Path, *, as_json: bool) -> None:
    for index, (rule, words) in enumerate(described_rules(name, folder)):
        if as_json:
            _write_line({"rule": rule, "words": words})
        else:
            blank = "\n" if index else ""
            sys.stdout.write(f"{blank}{fill(words, WIDTH, break_on_hyphens=False, break_long_words=False)}\n")


def _explain_all(decisions: "Iterator[Decision]", folder: Path, *, as_json: bool) -> int:
    from moderator.policy.authoring.decision_text import decision_text
    from moderator.settings import load_settings

    snapshots = Snapshots(load_settings().policies.state_dir, folder)
    code = exit_codes.OK
    is_practice = False
    for index, decision in enumerate(decisions):
        is_practice |= decision["model"]["name"] == BUILTIN
        policies = snapshots.find(decision["policy"]["snapshot"])
        differs = None if policies is None else difference_by_snapshot(decision, policies)
        code = exit_codes.CHECK_FAILED if differs else code
        if as_json:
            _write_line(_record(decision, policies, differs))
        else:
            blank = "\n" if index else ""
            remark = _filled(note(decision, snapshots, differs, is_found=policies is not None))
            sys.stdout.write(f"{blank}{decision_text(decision, policies)}{remark}")
    if is_practice:
        sys.stderr.write(f"scored by the practice model `{BUILTIN}`\n")
    return code


def _filled(text: str) -> str:
    filled = fill(text, WIDTH, initial_indent=" ", subsequent_indent="   ", break_on_hyphens=False)
    return f"{filled}\n" if text else ""


def _record(decision: "Decision", policies: "PolicySet | None", differs: str | None) -> dict[str, object]:
    from moderator.policy.authoring.applicability import not_applicable

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
        "action": decision.get("action"),
        "queues": decision.get("queues", []),
        "notify": decision.get("notify", []),
        "shadow_verdict": decision["shadow_verdict"],
        "shadow_action": decision.get("shadow_action"),
        "rules": decision["rules"],
        "not_applicable": [] if policies is None else [each._asdict() for each in not_applicable(decision, policies)],
    }


def _write_line(record: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
