"""`moderator model probe`: learn objectives of one's own on what a model reads out already."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.files.output_files import write_file
from moderator.cli.progress import progress
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from moderator.evaluation.labelled import LabelledEvent
    from moderator.probing.features import Features
    from moderator.probing.fitting import Fitted
    from moderator.probing.report import ProbeReport
    from moderator.settings import ModelSettings, Settings

_AUTO = "auto"


def probe(
    *,
    model: Annotated[str, typer.Option(help="The backbone: a folder, a hub id, or `builtin`.")],
    labels: Annotated[Path, typer.Option(metavar="FILE", help="JSON lines, each a chat event with `labels`.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write, to be named as a model is.")],
    alpha: Annotated[
        str, typer.Option(metavar="auto|N", help="How strongly weights are held back; auto: by cross-validation.")
    ] = _AUTO,
    seed: Annotated[int, typer.Option(min=0, help="Of which rows are held out.")] = 1,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the backbone into DIR instead of naming it.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the report as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn objectives from some hundred labels each. Exit 0: written, 1: too few labels, 2: something is wrong."""
    from moderator.backtest.report.page import page_of
    from moderator.backtest.report.text import text_of
    from moderator.cli.options import quietly_loaded
    from moderator.evaluation.labelled import read_labelled
    from moderator.probing.document import document_of
    from moderator.probing.folder import require_folder, write_folder

    settings = quietly_loaded(None, {"model.path": model})
    alphas = _alphas(alpha)
    rows = read_labelled(labels, settings)
    _require_new(settings.model, rows, labels)
    _refuse_too_few(rows)
    require_folder(output, model, copies=copy)
    fitted, report = _fit(settings, rows, alphas, seed)
    write_folder(output, settings.model, fitted, report, copies=copy)
    document = document_of(report)
    if html is not None:
        write_file(html, page_of(document))
    typer.echo(json.dumps(report.to_fields(), indent=2) if as_json else text_of(document), nl=as_json)


def _alphas(given: str) -> Sequence[float]:
    from moderator.probing.ridge import ALPHAS

    if given == _AUTO:
        return ALPHAS
    try:
        number = float(given)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise ConfigurationError(f"`--alpha {given}`: write `auto` or a number above 0")
    return (number,)


def _require_new(settings: "ModelSettings", rows: "Sequence[LabelledEvent]", labels: Path) -> None:
    from moderator.probes import require_name
    from moderator.probing.features import require_backbone

    names, where = _names(rows), f"`{labels}`"
    for name in names:
        require_name(name, where)
    require_backbone(settings, names, where)


def _refuse_too_few(rows: "Sequence[LabelledEvent]") -> None:
    from moderator.probing.fitting import too_few

    lines = [line for name in _names(rows) if (line := too_few(rows, name))]
    for line in lines:
        typer.echo(line, err=True)
    if lines:
        raise typer.Exit(exit_codes.CHECK_FAILED)


def _fit(
    settings: "Settings", rows: "Sequence[LabelledEvent]", alphas: Sequence[float], seed: int
) -> "tuple[dict[str, Fitted], ProbeReport]":
    from moderator.probing.fitting import fit_objective
    from moderator.probing.report import report_of
    from moderator.probing.split import split

    features = _read(settings, rows)
    _refuse_too_few(features.rows)
    parts = split(features.rows, seed)
    names = _names(rows)
    with progress("probe", len(names), "objectives") as advance:
        fitted = {}
        for name in names:
            fitted[name] = fit_objective(name, features, parts, alphas, seed)
            advance(1)
    figures = {name: each.figures for name, each in fitted.items()}
    return fitted, report_of(features, parts, seed, figures)


def _read(settings: "Settings", rows: "Sequence[LabelledEvent]") -> "Features":
    from moderator.probing.features import read_features
    from moderator.scoring.engine import load_hidden_reader

    reader, own = load_hidden_reader(settings.model, settings.reading)
    reader.warm_up()
    with progress("read", len(rows), "events") as advance:
        return read_features(reader, own, rows, advance)


def _names(rows: "Sequence[LabelledEvent]") -> list[str]:
    return sorted({name for row in rows for name in row.labels})
