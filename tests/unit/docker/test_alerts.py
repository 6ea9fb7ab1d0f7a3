"""Alerts and dashboard go by metrics that exist, and each alert has a runbook; `make lint` has promtool try them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.exposition import some_metrics
from tests.pages import ROOT, anchors

DOCKER = ROOT / "docker"
OPERATING = ROOT / "docs" / "operating.md"
OF_TARGETS = {"job", "instance", "group"}
"""Labels that the scrape configuration gives."""
NAME = re.compile(r"\b(?:moderator|process|python)_[a-z_]+\b")
MATCHER = re.compile(r"""\b([a-z_]+)\s*(?:=|!=|=~|!~)\s*"[^"]*\"""")
GROUPED = re.compile(r"\b(?:by|on|group_left|without|ignoring)\s*\(([a-z_, ]*)\)")


def yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


ALERTS: list[dict[str, Any]] = yaml(DOCKER / "prometheus" / "alerts.yml")["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana" / "moderator.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]


def queries() -> Iterator[str]:
    for panel in PANELS:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["expr"] for each in DASHBOARD["annotations"]["list"])


EXPRESSIONS = [*(rule["expr"] for rule in ALERTS), *queries()]


def catalogue() -> dict[str, set[str]]:
    """Every series of a scrape by name, with its labels."""
    series: dict[str, set[str]] = {}
    for family in some_metrics().registry.collect():
        for sample in family.samples:
            series.setdefault(sample.name, set()).update(sample.labels)
    return series


CATALOGUE = catalogue()


def test_every_metric_that_alerts_and_dashboard_name_is_scraped() -> None:
    named = {name for expression in EXPRESSIONS for name in NAME.findall(expression)}

    assert len(named) > 40
    assert named - CATALOGUE.keys() == set()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_that_an_expression_names_is_one_of_its_metrics(expression: str) -> None:
    known = {label for name in NAME.findall(expression) for label in CATALOGUE[name]} | OF_TARGETS
    grouped = {label.strip() for labels in GROUPED.findall(expression) for label in labels.split(",")} - {""}

    assert ({*MATCHER.findall(expression)} | grouped) - known == set()


def test_every_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (ROOT / page, anchor) == (OPERATING, rule["alert"].lower())


def test_every_runbook_is_there_and_belongs_to_an_alert() -> None:
    headings = {anchor for anchor in anchors(OPERATING) if anchor.startswith("moderator")}

    assert headings == {rule["alert"].lower() for rule in ALERTS}


def test_each_alert_has_a_series_that_fires_it_and_one_that_does_not() -> None:
    tests = yaml(DOCKER / "prometheus" / "alerts.test.yml")["tests"]

    checked = {(case["alertname"], bool(case.get("exp_alerts"))) for test in tests for case in test["alert_rule_test"]}

    assert checked == {(rule["alert"], fires) for rule in ALERTS for fires in (True, False)}


def test_the_dashboard_has_a_row_for_each_question_and_variables_for_source_and_group() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]

    assert DASHBOARD["uid"] == "moderator"
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "group"]
    assert rows == [
        "Is it moderating?",
        "How fast?",
        "What does it decide?",
        "Policies and model",
        "Device",
        "Caches and process",
    ]


def test_every_panel_says_what_it_shows_and_asks_the_chosen_source_and_group() -> None:
    panels = [panel for panel in PANELS if panel["type"] != "row"]

    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in panels:
        assert panel["description"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert 'group=~"$group"' in target["expr"]


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
