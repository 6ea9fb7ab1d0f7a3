"""`moderator replay` as a process of its own, with a model that costs nothing: all but the scores is real."""

import os
import sys
import threading
from contextlib import nullcontext

from moderator.observability.logging import configure_logging
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy import load_policies
from moderator.settings import Settings, load_settings
from moderator.testing import ScriptedScorer
from moderator.wiring.lines import Judges
from moderator.wiring.replay import Asked, make, prepare
from tests.faults.replica import safety_by_last_digit


def load(settings: Settings) -> Judges:
    return Judges(load_policies(settings.policies.path), ScriptedScorer(safety_by_last_digit), ScoringThread())


def main() -> None:
    configure_logging("info")
    plan = prepare(
        load_settings({"model.path": "scripted"}),
        Asked(
            run_id="killed",
            start="2020-01-01",
            until="now",
            topic=os.environ["TO_TOPIC"],
            rate=None,
            is_rejudging=False,
            is_dry=False,
            is_comparing=False,
            may_be_live=False,
        ),
    )
    counts, _ = make(plan, threading.Event(), lambda *_: nullcontext(lambda _: None), load)
    sys.stdout.write(f"{counts.line}\n")


if __name__ == "__main__":
    main()
