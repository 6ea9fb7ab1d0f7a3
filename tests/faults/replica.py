"""`moderator run` with a model that costs nothing: all of the stream is real, only the scores are made up.

Starting takes a second instead of many, so that a minute holds many kills.
"""

import os
import signal
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from moderator.ending import Signals
from moderator.events import Prompt, Scores, Turn, Unscored
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.logging import configure_logging, get_logger
from moderator.observability.metrics import Metrics
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.scoring.interactive import InteractiveTexts
from moderator.settings import load_settings
from moderator.testing import ScriptedScorer
from moderator.wiring.parts import choose_policies
from moderator.wiring.stream import moderate
from tests.faults.killable import DIES_OF, SCORING_BEGAN

log = get_logger("moderator.replica_of_the_tests")

SCORING_S = float(os.environ.get("SCORING_S", "0.03"))


class SlowScorer(ScriptedScorer):
    """Takes a moment for each window, so that a kill often falls into scoring."""

    def score(self, prompts: Sequence[Prompt], interactive: InteractiveTexts | None = None) -> list[Scores | Unscored]:
        log.info(SCORING_BEGAN)
        self._die_of(prompts)
        time.sleep(SCORING_S)
        self.scored.clear()
        return super().score(prompts, interactive)

    def _die_of(self, prompts: Sequence[Prompt]) -> None:
        """A text that names a signal ends the process, as a crash in a device's code would."""
        for prompt in prompts:
            text = self._conversations[prompt.score_key][-1].content
            if text.startswith(DIES_OF):
                os.kill(os.getpid(), signal.Signals[text.split()[2]])
                time.sleep(10)  # it may take a moment


def safety_by_last_digit(conversation: Sequence[Turn]) -> Scores:
    safety = int(conversation[-1].content[-1]) / 10
    return Scores((safety, 0.5), (1.0, 0.0), truncated=False)


def main() -> None:
    settings = load_settings()
    configure_logging("info")
    signals = Signals()
    signals.handle()
    signals.drain_from_now_on()
    moderate(
        settings,
        choose_policies(settings),
        ScoringThread(),
        SlowScorer(safety_by_last_digit),
        signals.stop,
        metrics=Metrics(CollectorRegistry()),
        board=HealthBoard(HealthSnapshot(turned_at_s=0, broker_seen_at_s=0)),
    )


if __name__ == "__main__":
    main()
