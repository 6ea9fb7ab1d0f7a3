"""An evaluation as a document, to be written as text or as a page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moderator.backtest.report.document import Cell, Document, Fact, Row, Section, Table, number_cell
from moderator.evaluation.report import LEAST_OF_A_GROUP, Evaluation

_OBJECTIVES = ("objective", "rows", "labelled 1", "AUC", "95%", "average precision")
_LIMITS = ("from", "limit", "flagged", "precision", "95%", "recall", "false alarms")
_CONTEXT = ("turns before", "objective", "AUC", "mean difference", "crosses a limit")


def document_of(evaluation: Evaluation) -> Document:
    """Lay out the whole report: objectives, limits, groups, context."""
    model = evaluation.model
    facts = (
        Fact("model", f"{model.name} ({model.dtype}, {model.framing}, {model.fingerprint})"),
        Fact("events", f"{evaluation.rows:,} labelled, {evaluation.unscored:,} without a score"),
    )
    return Document(f"Evaluation of {model.name}", "", facts, tuple(_sections(evaluation)), heading="Evaluation")


def _sections(evaluation: Evaluation) -> Iterator[Section]:
    objectives = evaluation.objectives
    rows = tuple(_objective_row(name, figures) for name, figures in objectives.items())
    yield Section("Objectives", tables=(Table("AUC by objective", _OBJECTIVES, rows, "objective"),))
    for name, figures in objectives.items():
        if figures["limits"]:
            rows = tuple((Cell(each["from"]), *limit_cells(each)) for each in figures["limits"])
            yield Section(f"Limits of {name}", tables=(Table(f"limits of {name}", _LIMITS, rows, "limits"),))
    groups = tuple(
        _objective_row(f"{name}, {group}", measured)
        for name, figures in objectives.items()
        for group, measured in figures.get("groups", {}).items()
    )
    if groups:
        aside = f"of {LEAST_OF_A_GROUP} rows and more"
        yield Section("Groups", aside, tables=(Table("AUC by group", _OBJECTIVES, groups, "group"),))
    if evaluation.context:
        yield Section(
            "Context", tables=(Table("turns before", _CONTEXT, tuple(_context(evaluation.context)), "context"),)
        )


def _objective_row(name: str, figures: Mapping[str, Any]) -> Row:
    return (
        Cell(name),
        number_cell(figures["rows"]),
        number_cell(figures["ones"]),
        share_cell(figures["auc"]),
        interval_cell(figures["auc_low"], figures["auc_high"]),
        share_cell(figures["average_precision"]),
    )


def limit_cells(limit: Mapping[str, Any]) -> Row:
    """Lay out one limit: the number, what it flags, precision with its interval, recall, false alarms."""
    return (
        Cell(f"{limit['limit']:g}", "number"),
        number_cell(limit["flagged"]),
        share_cell(limit["precision"]),
        interval_cell(limit["precision_low"], limit["precision_high"]),
        share_cell(limit["recall"]),
        share_cell(limit["false_alarms"]),
    )


def _context(rows: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for row in rows:
        yield (
            Cell(str(row["turns"])),
            Cell(row["objective"]),
            share_cell(row["auc"]),
            share_cell(row["mean_difference"]),
            share_cell(row["crosses_a_limit"]),
        )


def share_cell(value: float | None) -> Cell:
    """Give a cell with a figure from 0 to 1, or a dash."""
    return Cell("-" if value is None else f"{value:.3f}", "number")


def interval_cell(low: float | None, high: float | None) -> Cell:
    """Give a cell with the ends of an interval, or a dash."""
    return Cell("-" if low is None or high is None else f"{low:.3f} to {high:.3f}", "number")
