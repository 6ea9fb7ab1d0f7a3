"""Interactive texts in the passes of a real engine: who waits for whom, and whose fault stays whose."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

import pytest
import torch

from moderator.events import Prompt, Scores, Unscored
from moderator.pipeline.ports import Scorer
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine
from moderator.scoring.packing import Text
from tests.builders import prompts_of
from tests.integration.scoring.model.troubled_armorm import (
    CONVERSATIONS,
    TroubledArmoRM,
    TwoThreads,
    fails_for,
    noting_threads,
    noting_tokens,
    overall,
    question,
    too_small,
)

BUDGET = 400


class Requests:
    """Interactive texts; notes when each came and when it was in a pass, by the number of passes started so far."""

    def __init__(self, *prompts: Prompt) -> None:
        self.waiting: deque[Prompt] = deque()
        self.came_lately = True
        self.passes = 0
        self.came: dict[str, int] = {}
        self.began: dict[str, int] = {}
        self.found: dict[str, Scores | Unscored] = {}
        self.failed: dict[str, Exception] = {}
        self.seconds = 0.0
        for prompt in prompts:
            self.come(prompt)

    def come(self, prompt: Prompt) -> None:
        self.came[prompt.score_key] = self.passes
        self.waiting.append(prompt)

    def take(self, most_tokens: int) -> list[Prompt]:
        taken: list[Prompt] = []
        while self.waiting:
            if taken and sum(len(prompt.token_ids) for prompt in (*taken, self.waiting[0])) > most_tokens:
                break
            taken.append(self.waiting.popleft())
            self.began[taken[-1].score_key] = self.passes
        return taken

    def give(self, scores: Mapping[str, Scores | Unscored], seconds: float) -> None:
        assert not scores.keys() & self.found.keys()
        self.found.update(scores)
        self.seconds += seconds

    def fail(self, score_key: str, error: Exception) -> None:
        self.failed[score_key] = error


def short(scorer: Scorer, count: int, name: str = "asked") -> list[Prompt]:
    return prompts_of(scorer, [question(f"{name} {number}", "short") for number in range(count)])


def test_both_get_the_scores_that_they_would_get_alone(armorm: ArmoRM, scorer: Scorer) -> None:
    own, asked = prompts_of(scorer, CONVERSATIONS), short(scorer, 20)
    requests = Requests(*asked)

    results = Engine(armorm, BUDGET).score(own, requests)

    assert overall(results) == pytest.approx(overall(scorer.score(own)), abs=1e-5)
    found = [requests.found[prompt.score_key] for prompt in asked]
    assert overall(found) == pytest.approx(overall(scorer.score(asked)), abs=1e-5)
    assert requests.seconds > 0


def test_without_a_stream_they_are_scored_too(armorm: ArmoRM, scorer: Scorer) -> None:
    requests = Requests(*short(scorer, 3))

    assert Engine(armorm).score([], requests) == []
    assert len(requests.found) == 3


@pytest.mark.parametrize("most_unread", [1, 2])
def test_a_text_waits_for_two_passes_of_others_at_most(most_unread: int, armorm: ArmoRM, scorer: Scorer) -> None:
    asked = iter(short(scorer, 1_000))
    requests = Requests()

    def arrive(_: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        requests.passes += 1
        for prompt in islice(asked, requests.passes % 3):
            requests.come(prompt)
        return rows

    engine = Engine(TroubledArmoRM(armorm, arrive), BUDGET)
    engine._runner._most_unread = most_unread  # as on an accelerator, where two are in flight

    engine.score(prompts_of(scorer, CONVERSATIONS), requests)

    assert requests.passes > 10
    in_flight = most_unread - 1  # what was started when it came, and is not read yet
    waits = [began - requests.came[key] + in_flight for key, began in requests.began.items()]
    assert max(waits) <= 2
    assert requests.found.keys() == requests.began.keys()


def test_under_both_backlogs_the_stream_has_half_of_the_tokens(armorm: ArmoRM, scorer: Scorer) -> None:
    tokens = {"own": 0, "asked": 0}
    asked, own = short(scorer, 1_000), short(scorer, 1_000, "own")
    requests = Requests(*asked)
    is_asked = {tuple(prompt.token_ids) for prompt in asked}
    passes = 0

    def count(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += 1
        for text in texts:
            tokens["asked" if tuple(text.token_ids) in is_asked else "own"] += len(text.token_ids)
        if passes == 100:
            raise RuntimeError("enough")
        return rows

    with pytest.raises(Exception, match="enough"):
        Engine(TroubledArmoRM(armorm, count), BUDGET).score(own, requests)

    assert 0.45 <= tokens["own"] / sum(tokens.values()) <= 0.55


def test_a_text_that_triggers_a_fault_of_ours_fails_alone(armorm: ArmoRM, scorer: Scorer) -> None:
    own, asked = prompts_of(scorer, CONVERSATIONS[:20]), short(scorer, 4)
    trouble = fails_for(asked[2])
    requests = Requests(*asked)

    results = Engine(TroubledArmoRM(armorm, trouble), BUDGET).score(own, requests)

    assert overall(results) == pytest.approx(overall(scorer.score(own)), abs=1e-5)
    assert requests.failed.keys() == {asked[2].score_key}
    assert requests.found.keys() == {asked[0].score_key, asked[1].score_key, asked[3].score_key}


def test_a_fault_that_the_stream_triggers_is_the_streams(armorm: ArmoRM, scorer: Scorer) -> None:
    own, asked = prompts_of(scorer, CONVERSATIONS[:3]), short(scorer, 2)
    trouble = fails_for(own[0])
    requests = Requests(*asked)

    with pytest.raises(ValueError, match="a fault"):
        Engine(TroubledArmoRM(armorm, trouble), 10_000).score(own, requests)

    assert len(requests.found) == 2
    assert requests.failed == {}


def test_short_of_memory_passes_are_halved_for_both(armorm: ArmoRM, scorer: Scorer) -> None:
    own = prompts_of(scorer, [turns for turns in CONVERSATIONS if len(turns[1].content) < 200])
    asked = short(scorer, 10)
    requests = Requests(*asked)

    results = Engine(TroubledArmoRM(armorm, too_small(300))).score(own, requests)

    assert overall(results) == pytest.approx(overall(scorer.score(own)), abs=1e-5)
    assert len(requests.found) == 10
    assert all(isinstance(found, Scores) for found in requests.found.values())


def test_while_requests_come_in_a_slow_device_gets_shorter_passes_of_the_stream(armorm: ArmoRM, scorer: Scorer) -> None:
    own = short(scorer, 200, "own")
    requests = Requests()
    seconds = iter(range(10_000))  # each look at the device's clock is a second later
    sizes: list[int] = []

    engine = Engine(TroubledArmoRM(armorm, noting_tokens(sizes)), BUDGET, stream_pass_s=0.1)
    engine._runner._device_s = lambda: float(next(seconds))

    engine.score(own, requests)
    lately = sizes.copy()
    requests.came_lately = False
    engine.score(own, requests)

    assert lately[0] > 300
    assert max(lately[5:]) < 60
    assert sizes[len(lately)] > 300


@pytest.mark.parametrize(("came_lately", "threads", "observed"), [(True, 1, 0), (False, 2, 1)])
def test_while_requests_come_in_a_pass_has_one_thread_and_nothing_is_learned_from_it(
    armorm: ArmoRM, scorer: Scorer, threads: int, observed: int, *, came_lately: bool
) -> None:
    requests = Requests()
    requests.came_lately = came_lately
    choice = TwoThreads()
    seen: list[int] = []

    Engine(TroubledArmoRM(armorm, noting_threads(seen)), BUDGET, threads=choice).score(short(scorer, 3), requests)

    assert seen == [threads]
    assert choice.observed == observed


def test_what_others_take_of_a_cpu_makes_no_pass_shorter(armorm: ArmoRM, scorer: Scorer) -> None:
    seconds = iter(range(0, 1_000_000, 100))  # the machine is so busy that a pass takes minutes
    sizes: list[int] = []

    engine = Engine(TroubledArmoRM(armorm, noting_tokens(sizes)), BUDGET, stream_pass_s=10.0)
    engine._runner._monotonic_s = lambda: float(next(seconds))

    engine.score(short(scorer, 100, "own"), Requests())

    assert min(sizes[:-1]) > 300
