"""A page that stays open while Kafka is killed and comes back."""

from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import expect

from moderator.console.running import console_for
from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import ConsoleSettings, PoliciesSettings, Settings
from tests.browser.conftest import Visitor
from tests.browser.scenes import example_folder
from tests.kafka_stream import some_topics
from tests.servers.console_source import publish
from tests.unit.console.decisions import a_decision, encoded
from tests.waiting import PATIENCE_S

PATIENCE_MS = 90_000
FAR_BACK_S = 10 * 365 * 86_400


@pytest.mark.long  # a broker of its own, killed and started again
def test_an_open_page_says_that_kafka_is_away_keeps_its_data_and_recovers_by_itself(
    visit: Visitor, tmp_path: Path
) -> None:
    with LocalKafka() as broker:
        kafka = some_topics(broker.bootstrap_servers)
        publish(kafka, kafka.flag_topic, encoded(a_decision(1, flag=True)))
        settings = Settings(
            kafka=kafka,
            policies=PoliciesSettings(path=example_folder(tmp_path)),
            console=ConsoleSettings(lookback_s=FAR_BACK_S),
        )
        console = console_for(settings)
        reading = Thread(target=console.source.run, daemon=True)
        reading.start()
        page = visit.open(console, "/")
        state, flagged = (
            page.get_by_test_id("source-state"),
            page.locator("[data-testid=verdict-share][data-verdict=flag]"),
        )
        expect(state).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        expect(flagged).to_have_attribute("data-count", "1", timeout=PATIENCE_MS)

        broker.kill()
        expect(page.get_by_test_id("state-broken")).to_contain_text("does not answer", timeout=PATIENCE_MS)
        held_meanwhile = flagged.get_attribute("data-count")
        broker.start()
        expect(state).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
        publish(kafka, kafka.flag_topic, encoded(a_decision(2, flag=True)))
        expect(flagged).to_have_attribute("data-count", "2", timeout=PATIENCE_MS)

        console.source.stop()
        reading.join(PATIENCE_S)

    assert held_meanwhile == "1"
    assert not reading.is_alive()
