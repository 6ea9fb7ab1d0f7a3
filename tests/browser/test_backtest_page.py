"""The backtest's page in a real browser: no messages in the console, readable in both schemes and in narrow windows."""

from html import escape
from pathlib import Path

import pytest

from moderator.backtest.report.page import backtest_page
from tests.browser.chromium import Scheme
from tests.browser.conftest import Visitor
from tests.unit.backtest.decisions import report_of, some_labels, some_recorded
from tests.unit.policy.folders import a_policy, a_rule, a_set

CONTRASTS = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = part => part / 255 <= .04045 ? part / 255 / 12.92 : ((part / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour[3]) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = element => {
    const style = getComputedStyle(element);
    const ink = light(rgb(element.closest('svg') ? style.fill : style.color));
    const paper = light(ground(element));
    return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
  };
  return [...document.querySelectorAll('h1, h2, p, dt, caption, th, td, svg text, summary, .soft, .bad')]
    .map(element => [contrast(element), element.tagName + '.' + element.getAttribute('class')]);
})()"""
"""Contrast as WCAG 2 has it."""
BOXES = """(() => {
  const box = element => {
    const {left, right, top, bottom} = element.getBoundingClientRect();
    return {left, right, top, bottom};
  };
  return [...document.querySelectorAll('svg')].map(chart => ({
    chart: box(chart),
    texts: [...chart.querySelectorAll('text')].map(box),
    baseline: box(chart.querySelector('line.baseline')),
    candidate: box(chart.querySelector('line.candidate')),
  }));
})()"""
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
IN_FRAME = """(() => {
  const page = frames[0].document, cell = page.querySelector('[data-testid=flip-row] td');
  const root = page.documentElement;
  return {
    scrolled: root.scrollWidth,
    shown: root.clientWidth,
    cell: [frames[0].getComputedStyle(cell).display, frames[0].getComputedStyle(cell, '::before').content],
  };
})()"""
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    baseline = a_set(folder / "baseline", a_policy(a_rule("safety: below 0.30")))
    rule = a_rule("safety: below 0.95", more="budget: {flag_share: at most 1%}")
    candidate = a_set(folder / "candidate", a_policy(rule))
    decisions = some_recorded(baseline, [nth / 200 for nth in range(200)], tenant="a-tenant-with-a-long-name" * 5)
    labels = some_labels(flag=range(60), allow=range(60, 120))
    file = folder / "report.html"
    file.write_text(backtest_page(report_of(baseline, candidate, decisions, labels=labels, sweep="safety")), "utf-8")
    return file


def test_the_browser_prints_no_message(visit: Visitor, report: Path) -> None:
    visit.open_file(report)

    assert visit.messages == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(visit: Visitor, report: Path, scheme: Scheme) -> None:
    contrasts = visit.open_file(report, scheme=scheme).evaluate(CONTRASTS)

    assert len(contrasts) > 100
    assert [name for contrast, name in contrasts if contrast < 4.5] == []


def test_the_ground_is_light_or_dark_as_the_reader_prefers(visit: Visitor, report: Path) -> None:
    grounds = [visit.open_file(report, scheme=scheme).evaluate(GROUND) for scheme in ("light", "dark")]

    assert grounds == ["rgb(247, 247, 245)", "rgb(20, 23, 26)"]


@pytest.mark.parametrize("width", [500, 1_400])
def test_no_window_is_too_narrow_for_the_page(visit: Visitor, report: Path, width: int) -> None:
    scrolled, shown = visit.open_file(report, width=width).evaluate(WIDTHS)

    assert scrolled == shown == width


def test_on_a_telephone_nothing_is_scrolled_sideways_and_each_row_is_a_card(
    visit: Visitor, report: Path, tmp_path: Path
) -> None:
    frame = tmp_path / "frame.html"
    srcdoc = escape(report.read_text("utf-8"), quote=True)
    frame.write_text(f'<body><iframe width=390 height=800 srcdoc="{srcdoc}"></iframe></body>', "utf-8")

    narrow = visit.open_file(frame).evaluate(IN_FRAME)

    assert (narrow["scrolled"], narrow["shown"]) == (390, 390)
    assert narrow["cell"] == ["grid", '"verdict"']


def test_both_limits_and_their_names_lie_within_the_charts(visit: Visitor, report: Path) -> None:
    charts = visit.open_file(report).evaluate(BOXES)

    assert len(charts) == 2
    for each in charts:
        chart = each["chart"]
        assert chart["left"] < each["baseline"]["left"] < each["candidate"]["left"] < chart["right"]
        assert all(chart["left"] <= text["left"] and text["right"] <= chart["right"] for text in each["texts"])
        assert all(chart["top"] <= text["top"] and text["bottom"] <= chart["bottom"] for text in each["texts"])
