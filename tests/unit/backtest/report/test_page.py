import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from moderator.backtest.report.charts import histogram
from moderator.backtest.report.page import backtest_page
from moderator.backtest.report.text import backtest_text
from moderator.backtest.report.values import BacktestReport
from tests.unit.backtest.decisions import report_of, some_labels, some_recorded
from tests.unit.policy.folders import EXEMPTIONS, a_policy, a_rule, a_set

VOID = {"meta", "rect", "line", "polyline", "polygon"}


class Outline(HTMLParser):
    """Collects what a page is made of, and checks that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def report(tmp_path: Path) -> BacktestReport:
    baseline = a_set(tmp_path / "baseline", a_policy(a_rule("safety: below 0.30")))
    rule = a_rule("safety: below 0.35", more="budget: {flag_share: at most 1%}")
    candidate = a_set(tmp_path / "candidate", a_policy(rule), exemptions=EXEMPTIONS)
    decisions = some_recorded(baseline, [nth / 200 for nth in range(200)], tenant='<script>alert("x")</script>')
    labels = some_labels(flag=range(60), allow=range(60, 120))
    return report_of(baseline, candidate, decisions, labels=labels, sweep="safety")


@pytest.fixture
def page(report: BacktestReport) -> str:
    return backtest_page(report)


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    outline = Outline(page)

    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(tag for tag, _ in outline.elements)
    assert not [attributes for _, attributes in outline.elements if {"src", "href", "style"} & attributes.keys()]
    assert not re.search(r"https?:|url\(|@import|//", page.partition("</style>")[0])
    assert {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"} in (
        outline.named("meta")
    )


def test_what_events_brought_is_shown_as_text(page: str) -> None:
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page


def test_text_and_page_have_the_same_sections_in_the_same_order(report: BacktestReport, page: str) -> None:
    of_text = re.findall(r"^([A-Z][A-Z ']+)(?: \(.*\))?$", backtest_text(report), re.MULTILINE)

    of_page = [unescape(title).upper() for title in re.findall(r"<h2>(.*?)</h2>", page)]

    assert of_text == of_page[:-1]
    assert len(of_text) >= 8


def test_what_charts_are_named_after_is_shown_as_text(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy())
    (limit,) = report_of(policies, policies, some_recorded(policies, [0.1, 0.9])).limits

    chart = histogram(replace(limit, rule='<b title="x">'))

    assert "<b" not in chart
    assert chart.count("&lt;b title=&quot;x&quot;&gt;") == 2


def test_tables_and_charts_can_be_read_aloud(page: str) -> None:
    outline = Outline(page)

    assert outline.named("html") == [{"lang": "en"}]
    assert len(outline.named("table")) == len(outline.named("caption")) >= 8
    assert all(attributes.get("scope") in ("col", "row") for attributes in outline.named("th"))
    charts = outline.named("svg")
    assert len(charts) == 2
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)


def test_both_limits_are_drawn_in_both_charts(page: str) -> None:
    lines = [attributes["class"] for attributes in Outline(page).named("line")]

    assert (lines.count("baseline"), lines.count("candidate")) == (2, 2)
    assert "baseline 0.3<" in page
    assert "candidate 0.35<" in page


def test_programs_find_the_sections_and_rows_by_name(page: str) -> None:
    names = [attributes["data-testid"] for _, attributes in Outline(page).elements if "data-testid" in attributes]

    assert [name for name in names if name != "flip-row"] == ["fidelity", "edited", "budgets", "flips"]
    assert names.count("flip-row") == 10


def test_rules_without_a_change_are_in_a_closed_fold(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy())

    page = backtest_page(report_of(policies, policies, some_recorded(policies, [0.5])))

    assert Outline(page).named("details")[0] == {"data-testid": "unchanged"}
    assert "<summary>1 rule without a change</summary>" in page


def test_sections_without_content_are_left_out(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("safety: missing")))

    page = backtest_page(report_of(policies, policies, some_recorded(policies, [0.5])))

    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Replay fidelity",
        "Edited",
        "Budgets",
        "Flips",
        "By rule",
        "By tenant",
        "By channel",
        "By locale",
    ]
