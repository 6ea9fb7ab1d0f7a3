"""Writes the backtest's report as one page: no script, nothing fetched, readable in light, in dark and on paper."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from moderator.backtest.report.charts import histogram, rates
from moderator.backtest.report.document import Document
from moderator.backtest.report.sections import document_of
from moderator.backtest.report.values import BacktestReport
from moderator.policy.syntax.diagnostics import printable


def backtest_page(report: BacktestReport) -> str:
    """Write the page of a report; its fidelity must be 100%."""
    return page_of(document_of(report))


def page_of(document: Document) -> str:
    """Write any report as one page."""
    return _template().render(document=document, histogram=histogram, rates=rates)


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        finalize=_printable,
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("page.html")


def _printable(value: object) -> object:
    # names and ids come from the decisions; what macros and charts give was escaped before
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
