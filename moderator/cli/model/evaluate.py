"""`moderator model evaluate`: how well a model's scores agree with labels."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moderator.cli import exit_codes
from moderator.cli.files.output_files import write_file
from moderator.cli.progress import progress
from moderator.errors import ConfigurationError
from moderator.objectives import BUILTIN

if TYPE_CHECKING:
    from moderator.evaluation.labelled import LabelledEvent
    from moderator.evaluation.report import Evaluation
    from moderator.policy import PolicySet
    from moderator.settings import Settings

_ASKED = re.compile(r"(?P<name>[^=:]+)=(?P<number>-?[0-9]+(\.[0-9]+)?)")
_REQUIRED = re.compile(r"(?P<name>[^=]+):(?P<figure>auc|average_precision)=(?P<number>[01](\.[0-9]+)?)")
_ALL = "all"


def evaluate(
    *,
    labels: Annotated[Path, typer.Option(metavar="FILE", help="JSON lines, each a chat event with `labels`.")],
    model: Annotated[str, typer.Option(help="A folder, a hub id, or `builtin`.")] = BUILTIN,
    policies: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Measure at the limits of these rules; else only at `--limit`.")
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="Also by value of group, locale, metadata.KEY, …")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="NAME=N", help="A raw score, for objectives without a rule.")
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="N,…,all", help="Compare how many turns before the judged one are read.")
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(metavar="NAME:auc=N", help="Exit 1 where a figure is lower.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the report as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a model on labelled events. Exit 0: measured, 1: below what is required, 2: something is wrong."""
    from moderator.backtest.report.page import page_of
    from moderator.backtest.report.text import text_of
    from moderator.cli.options import quietly_loaded
    from moderator.evaluation.document import document_of
    from moderator.evaluation.labelled import read_labelled
    from moderator.evaluation.report import require_fields
    from moderator.policy import load_policies

    settings = quietly_loaded(None, {"model.path": model})
    asked, required, turns = _asked(limit or []), _required(require or []), _turns(context)
    rows = read_labelled(labels, settings)
    _refuse_unlabelled(required, rows)
    require_fields(by or [])
    rules = None if policies is None else load_policies(policies)
    evaluation = _measure(settings, rows, rules=rules, asked=asked, by=by or [], turns=turns)
    if html is not None:
        write_file(html, page_of(document_of(evaluation)))
    fields = evaluation.to_fields()
    typer.echo(json.dumps(fields, indent=2) if as_json else text_of(document_of(evaluation)), nl=as_json)
    missed = list(_missed(required, fields["objectives"]))
    for line in missed:
        typer.echo(line, err=True)
    raise typer.Exit(exit_codes.CHECK_FAILED if missed else exit_codes.OK)


def _measure(
    settings: "Settings",
    rows: "Sequence[LabelledEvent]",
    *,
    rules: "PolicySet | None",
    asked: Mapping[str, Sequence[Fraction]],
    by: Sequence[str],
    turns: Sequence[int | None],
) -> "Evaluation":
    from moderator.evaluation.limits import limits_of
    from moderator.evaluation.report import context_rows, require_objectives
    from moderator.evaluation.report import evaluate as evaluate_scores
    from moderator.evaluation.scoring import raw_scores
    from moderator.scoring.engine import load_scorer

    scorer = load_scorer(settings.model, settings.reading)
    identity = scorer.identity
    require_objectives(identity, rows)
    limits = limits_of(rules, asked, identity.objectives)
    high_is_good = {limit.objective: limit.is_high_good for limit in limits}
    scorer.warm_up()
    with progress("evaluate", len(rows) * (1 + len(turns)), "events") as advance:
        scores = raw_scores(scorer, rows, high_is_good, advance)
        evaluation = evaluate_scores(identity, rows, scores, limits, by)
        table: list[dict[str, Any]] = []
        for count in turns:
            scorer.read_turns_before(count)
            others = raw_scores(scorer, rows, high_is_good, advance)
            said = _ALL if count is None else str(count)
            table += context_rows(identity, rows, scores, others, limits, turns=said)
    return replace(evaluation, context=table)


def _asked(limits: Sequence[str]) -> dict[str, list[Fraction]]:
    asked: dict[str, list[Fraction]] = {}
    for given in limits:
        match = _ASKED.fullmatch(given)
        if match is None:
            raise ConfigurationError(f"`--limit {given}`: write OBJECTIVE=NUMBER, such as `spam=0.5`")
        asked.setdefault(match["name"], []).append(Fraction(match["number"]))
    return asked


def _required(requirements: Sequence[str]) -> list[tuple[str, str, float]]:
    required = []
    for given in requirements:
        match = _REQUIRED.fullmatch(given)
        if match is None:
            raise ConfigurationError(
                f"`--require {given}`: write OBJECTIVE:auc=NUMBER, or average_precision, such as `spam:auc=0.85`"
            )
        required.append((match["name"], match["figure"], float(match["number"])))
    return required


def _turns(context: str | None) -> list[int | None]:
    named = [] if context is None else [part.strip() for part in context.split(",")]
    if not all(part == _ALL or (part.isascii() and part.isdigit()) for part in named):
        raise ConfigurationError(f"`--context {context}`: write numbers of turns and `all`, such as `0,1,all`")
    return [None if part == _ALL else int(part) for part in named]


def _refuse_unlabelled(required: Sequence[tuple[str, str, float]], rows: "Sequence[LabelledEvent]") -> None:
    labelled = {name for row in rows for name in row.labels}
    for name, *_ in required:
        if name not in labelled:
            raise ConfigurationError(f"`--require {name}:…`: no event is labelled for it")


def _missed(required: Sequence[tuple[str, str, float]], objectives: Mapping[str, Any]) -> "list[str]":
    lines = []
    for name, figure, least in required:
        value = objectives[name][figure]
        if value is None or value < least:
            lines.append(f"{name}: {figure} is {'not known' if value is None else f'{value:.3f}'}, required {least:g}")
    return lines
