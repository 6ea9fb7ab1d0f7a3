"""Dashboard and alerts on a real Prometheus that scrapes a real replica under load."""

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from moderator.demo.replica import LocalReplica
from moderator.demo.servers.redis import LocalRedis
from tests.exposition import some_metrics
from tests.integration.run.test_run import READY_S, some_events, variables
from tests.kafka_stream import await_committed, produce, some_topics
from tests.pages import ROOT
from tests.servers.prometheus import LocalPrometheus
from tests.servers.shared import SharedKafka
from tests.waiting import await_condition
from tests.warm.process import WarmReplica

pytestmark = pytest.mark.long

DASHBOARD = json.loads((ROOT / "docker" / "grafana" / "moderator.json").read_text("utf-8"))
NOT_BEFORE_IT_HAPPENS = {
    "moderator_publish_failures_total",
    "moderator_rule_budget_ratio",
    "moderator_score_drift",
    "moderator_state_dir_ok",
}
"""Series whose labels nobody knows beforehand, or for which the example policies and this start give no reason."""
EMPTY = {"Refused in", "Budget used", "Drift of scores", "Why not ready"}
"""Panels that show nothing while all is well, and without budgets and calibrations."""


class Watched:
    """A replica that has decided 300 events, and a Prometheus that has seen it."""

    def __init__(self, replica: LocalReplica, prometheus: LocalPrometheus) -> None:
        self.replica = replica
        self.prometheus = prometheus


@pytest.fixture(scope="module")
def watched(kafka: SharedKafka) -> Iterator[Watched]:
    settings = some_topics(kafka.bootstrap_servers)
    with LocalRedis() as redis, WarmReplica(variables(settings, MODERATOR_REDIS__URL=redis.url)) as replica:
        assert replica.await_ready(READY_S), replica.last_lines()
        with LocalPrometheus(replica.http_port) as prometheus:
            await_condition(lambda: bool(prometheus.query("moderator_ready == 1")))
            produce(settings, some_events(300))
            await_committed(settings, [100, 100, 100])
            await_condition(lambda: bool(prometheus.query("sum(rate(moderator_decisions_total[30s])) > 0")))
            yield Watched(replica, prometheus)


def panels() -> list[Any]:
    return [pytest.param(panel, id=panel["title"]) for panel in DASHBOARD["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("panel", panels())
def test_every_panel_shows_something_unless_there_is_nothing_to_show(watched: Watched, panel: dict[str, Any]) -> None:
    queries = [target["expr"].replace("$group", ".*").replace("$__rate_interval", "30s") for target in panel["targets"]]

    shown = [watched.prometheus.query(query) for query in queries]

    assert any(shown) != (panel["title"] in EMPTY), shown


def test_prometheus_takes_every_alert_and_none_fires_while_all_is_well(watched: Watched) -> None:
    await_condition(lambda: all(rule["health"] == "ok" for rule in watched.prometheus.rules()))

    rules = watched.prometheus.rules()

    assert len(rules) == 17
    assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()


def test_a_scrape_has_every_metric_of_the_catalogue_and_no_other(watched: Watched) -> None:
    url = f"http://127.0.0.1:{watched.replica.http_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    with_series = {_name(sample.name) for family in families for sample in family.samples}
    catalogue = {_name(sample.name) for family in some_metrics().registry.collect() for sample in family.samples}

    assert with_series - catalogue == set()
    assert catalogue - with_series == NOT_BEFORE_IT_HAPPENS


def _name(series: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", series)
