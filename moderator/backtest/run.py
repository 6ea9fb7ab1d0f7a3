"""A backtest: every recorded event is decided again by two policy sets and counted, in one pass."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from moderator.backtest.counting.confusion import Confusion
from moderator.backtest.counting.curves import CurveReader, Curves, empty_curves
from moderator.backtest.counting.examples import Examples, no_examples
from moderator.backtest.counting.exemption_matches import ExemptionMatches
from moderator.backtest.counting.fidelity import Fidelity
from moderator.backtest.counting.flips import Flips, RuleFlips
from moderator.backtest.counting.nearest import Nearest
from moderator.backtest.labels import Labels
from moderator.backtest.replay import ReplayedDecision, replay_input_of
from moderator.backtest.stale import KnownTexts, Numbers, TextNumbers
from moderator.backtest.study import Position
from moderator.backtest.two_sets import TwoSets
from moderator.events import Decision
from moderator.policy import PolicySet


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared.

    Attributes:
        sweep: the signal whose limits are tried on all events; None for none.
        texts: what the candidate reads from events whose texts are available.
        newest: examples are so many of each kind of flip, newest first; None: the thousand nearest to a limit.
    """

    baseline: PolicySet
    candidate: PolicySet
    labels: Labels
    sweep: str | None = None
    newest: int | None = None
    texts: KnownTexts = field(default_factory=dict)


@dataclass(slots=True)
class Counts:
    """Everything that a backtest counts.

    Attributes:
        models: events by name, fingerprint and dtype of the model that scored them.
        first, last: when the earliest and the latest decision was made, ISO 8601 in UTC.
        unscored: events to which the model gave no score.
        stale: decisions by signal and why its recorded number is none of the candidate's.
        undecided: decisions whose outcome depends on a stale number; they are in no other count but that of fidelity.
        without_numbers: events recorded before numbers in `metadata` were kept, where the candidate reads facts.
    """

    fidelity: Fidelity
    curves: Curves
    examples: Examples
    flips: Flips = field(default_factory=Flips)
    rules: RuleFlips = field(default_factory=RuleFlips)
    confusion: Confusion = field(default_factory=Confusion)
    nearest: Nearest = field(default_factory=Nearest)
    exemption_matches: ExemptionMatches = field(default_factory=ExemptionMatches)
    models: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    first: str = ""
    last: str = ""
    unscored: int = 0
    without_numbers: int = 0
    stale: Counter[tuple[str, str]] = field(default_factory=Counter)
    undecided: int = 0

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.fidelity.merge(other.fidelity)
        for key, curve in other.curves.items():
            self.curves[key].merge(curve)
        self.examples.merge(other.examples)
        self.flips.merge(other.flips)
        self.rules.merge(other.rules)
        self.confusion.merge(other.confusion)
        self.nearest.merge(other.nearest)
        self.exemption_matches.merge(other.exemption_matches)
        self.models += other.models
        self.first = min(filter(None, (self.first, other.first)), default="")
        self.last = max(self.last, other.last)
        self.unscored += other.unscored
        self.without_numbers += other.without_numbers
        self.stale += other.stale
        self.undecided += other.undecided


class Backtest:
    """`study.Study` that decides by both policy sets."""

    def __init__(self, plan: Plan) -> None:
        self._sets = TwoSets(plan.baseline, plan.candidate)
        self._numbers = TextNumbers(plan.baseline, plan.candidate, plan.texts)
        self._labels = plan.labels
        self._reads_facts = any(signal.fact is not None for signal in plan.candidate.signals)
        self._curves = CurveReader(plan.baseline, plan.candidate, plan.sweep)
        self.counted = Counts(
            Fidelity(plan.baseline.snapshot),
            empty_curves(plan.candidate, plan.sweep),
            no_examples(plan.baseline, plan.candidate, newest=plan.newest),
        )

    def add(self, position: Position, decision: Decision) -> None:
        """Decide one event twice and count it."""
        event = decision["event"]
        key = self._labels.key_of(event["tenant"], event["id"]) if self._labels.verdicts else None
        replay_input = replay_input_of(decision)
        numbers = self._numbers.of(decision)
        baseline, candidate = self._sets.judge(replay_input, numbers)
        label = None if key is None else self._labels.verdicts[key]
        self._note(decision, numbers)
        counts = self.counted
        if candidate is None:
            counts.undecided += 1
            counts.fidelity.add(ReplayedDecision(position, decision, replay_input, baseline, baseline, label))
            return
        replayed = ReplayedDecision(position, decision, candidate.replay_input, baseline, candidate.judgement, label)
        counts.fidelity.add(replayed)
        counts.examples.add(replayed)
        counts.flips.add(replayed)
        counts.rules.add(replayed)
        counts.nearest.add(replayed)
        counts.exemption_matches.add(replayed)
        if key is not None:
            counts.confusion.add(replayed, key)
        self._curves.read(replayed, counts.curves)
        counts.unscored += replayed.candidate.status == "unscored"

    def _note(self, decision: Decision, numbers: Numbers) -> None:
        """Count what is said of every event, decided or not."""
        counts = self.counted
        if numbers.stale:
            counts.stale.update((name, doubt.why) for name, doubt in numbers.stale.items())
        model = decision["model"]
        counts.models[model["name"], model["fingerprint"], model["dtype"]] += 1
        decided_at = decision["decided_at"]
        counts.first = min(counts.first or decided_at, decided_at)
        counts.last = max(counts.last, decided_at)
        # the release that keeps numbers is the one that records actions
        counts.without_numbers += self._reads_facts and "action" not in decision
