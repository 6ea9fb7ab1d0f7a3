"""A probe's report as a document, to be written as text, as a page, or as Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from moderator.backtest.report.document import Cell, Document, Fact, Row, Section, Table, number_cell
from moderator.evaluation.document import interval_cell, limit_cells, share_cell
from moderator.probing.report import ProbeReport

_OBJECTIVES = ("objective", "rows", "labelled 1", "AUC", "95%", "average precision", "alpha")
_RANKINGS = ("learned from", "AUC", "95%", "average precision")
_CURVE = ("rows", "AUC")
_LIMITS = ("at or above", "flagged", "precision", "95%", "recall", "false alarms")
_RELIABILITY = ("scores", "rows", "mean score", "mean label")
_REASONS = {
    "in_passages": "read in several passages",
    "unscored": "without a score",
    "repeated": "of a text that is held out in another conversation",
}


def document_of(report: ProbeReport) -> Document:
    """Lay out the whole report."""
    model = report.backbone
    names = ", ".join(report.objectives)
    facts = [
        Fact("backbone", f"{model.name} ({model.dtype}, {model.framing}, {model.fingerprint})"),
        Fact("events", f"{report.learned:,} learned from, {report.held_out:,} held out, of {report.rows:,} labelled"),
    ]
    left_out = [f"{count:,} {_REASONS[reason]}" for reason, count in report.left_out.items() if count]
    if left_out:
        facts.append(Fact("left out", ", ".join(left_out)))
    return Document(f"Probe for {names}", "", tuple(facts), tuple(_sections(report)), heading=f"Probe for {names}")


def _sections(report: ProbeReport) -> Iterator[Section]:
    rows = tuple(_objective(name, figures) for name, figures in report.objectives.items())
    table = Table("AUC by objective", _OBJECTIVES, rows, "objective")
    yield Section(
        "Held-out rows", "figures are of the events that were not learned from", tables=(table,), section_id="auc"
    )
    for name, figures in report.objectives.items():
        yield _beside_words(name, figures)
        yield _curve(name, figures)
        yield _limits(name, figures)
        yield _reliability(name, figures)


def _objective(name: str, figures: Mapping[str, Any]) -> Row:
    return (
        Cell(name),
        number_cell(figures["held_out"]),
        number_cell(figures["held_out_ones"]),
        *_ranking(figures),
        Cell(f"{figures['alpha']:g}", "number"),
    )


def _beside_words(name: str, figures: Mapping[str, Any]) -> Section:
    rows = (
        (Cell("the backbone's hidden state"), *_ranking(figures)),
        (Cell("words alone (TF-IDF)"), *_ranking(figures["baseline"])),
    )
    verdict = {True: "words alone do as well: the intervals overlap", False: "the backbone adds to the words", None: ""}
    lead = verdict[figures["words_alone_do_as_well"]]
    table = Table(f"{name}, and words alone", _RANKINGS, rows)
    return Section(f"{name}: beside words alone", lead=lead, tables=(table,), section_id="baseline")


def _curve(name: str, figures: Mapping[str, Any]) -> Section:
    rows = tuple((number_cell(point["rows"]), share_cell(point["auc"])) for point in figures["learning_curve"])
    table = Table(f"{name} by number of labels", _CURVE, rows)
    aside = "AUC with a quarter, half and all of the labels"
    return Section(f"{name}: number of labels", aside, tables=(table,), section_id="learning-curve")


def _limits(name: str, figures: Mapping[str, Any]) -> Section:
    rows = tuple(limit_cells(limit) for limit in figures["limits"])
    precise = figures["precise_limit"]
    lead = "no limit has a precision of 0.9"
    if precise is not None:
        lead = f"precision reaches 0.9 at {precise['limit']:g}, where {precise['recall']:.0%} are found"
    return Section(
        f"{name}: limits", lead=lead, tables=(Table(f"limits of {name}", _LIMITS, rows),), section_id="limits"
    )


def _reliability(name: str, figures: Mapping[str, Any]) -> Section:
    measured = figures["reliability"]
    rows = tuple(
        (
            Cell(f"{each['from']:g} to {each['to']:g}"),
            number_cell(each["rows"]),
            share_cell(each["mean_score"]),
            share_cell(each["mean_label"]),
        )
        for each in measured["bins"]
    )
    lead = f"scores are {measured['mean_error']:.3f} from the labels on average"
    table = Table(f"reliability of {name}", _RELIABILITY, rows)
    return Section(f"{name}: reliability", lead=lead, tables=(table,), section_id="reliability")


def _ranking(figures: Mapping[str, Any]) -> tuple[Cell, Cell, Cell]:
    return (
        share_cell(figures["auc"]),
        interval_cell(figures["auc_low"], figures["auc_high"]),
        share_cell(figures["average_precision"]),
    )
