"""The catalogue of metrics: every name, unit, meaning and label is here and nowhere else.

Labels are bounded: by this file, by the policy's size, by the partitions of one topic. None ever holds a user, tenant,
event id or text.
"""

import collections
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from moderator.events import DeadLetter, EncodedDecision, hidden_text_of
from moderator.observability.health import CODES, HealthBoard, readiness_problems

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_EVENTS = (1, 4, 16, 64, 256, 500, 1_000, 2_000, 4_000)


@dataclass(frozen=True, slots=True)
class Definition:
    """What the table of metrics says about one; `labels` maps each label to the values it takes."""

    name: str
    kind: str
    meaning: str
    labels: dict[str, str]


class Metrics:
    """All metrics of one process, in the registry given. Safe to use from several threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        new = _Catalogue(registry)
        self._add_process(new)
        self._add_outcomes(new)
        self._add_windows(new)
        self._add_caches(new)
        self._add_publishing(new)
        self._add_policies_and_model(new)
        self.definitions = tuple(new.definitions)

    def count_outcomes(self, outcomes: Collection[EncodedDecision | DeadLetter]) -> None:
        """Count what became visible to readers: decisions, dead letters, matches and shadow flips."""
        dead_letters = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
        decisions = [outcome for outcome in outcomes if not isinstance(outcome, DeadLetter)]
        _add(self.dead_letters, ((letter.reason,) for letter in dead_letters))
        _add(self.decisions, ((decision.verdict, decision.status) for decision in decisions))
        _add(self.shadow_flips, _shadow_flips(decisions))
        _add(self.rule_matches, _matches(decisions))
        _add(self.truncated, _truncations(decisions))
        self.passages.inc(sum(max(0, decision.reading["passages"] - 1) for decision in decisions))
        self.hidden_text.inc(sum(hidden_text_of(decision.reading["removed"]) == "found" for decision in decisions))
        _add(self.scores_missing, (missing for decision in decisions for missing in decision.missing_scores))
        for decision in decisions:
            self.event_seconds.observe(decision.total_ms / 1_000)

    def show_readiness(self, board: HealthBoard, monotonic_s: Callable[[], float]) -> None:
        """Let each scrape see what `/readyz` would answer at that moment."""

        def codes() -> set[str]:
            return {problem.code for problem in readiness_problems(board, monotonic_s())}

        self.ready.set_function(lambda: not codes())
        for code in CODES:
            self.not_ready.labels(code).set_function(partial(_is_among, code, codes))

    def show_state_dir(self) -> None:
        """Show from now on whether the state folder can be written."""
        self.state_dir_ok.set(1)
        self.registry.register(self.state_dir_ok)

    def _add_process(self, new: "_Catalogue") -> None:
        self.build_info = new.gauge(
            "moderator_build_info",
            "1 for the versions that run.",
            version="of moderator",
            revision="its commit",
            python="version",
            torch="version",
            kafka_client="version of kafka-python",
        )
        self.ready = new.gauge("moderator_ready", "1 while `/readyz` answers 200.")
        self.not_ready = new.gauge("moderator_not_ready", "1 for each code that holds.", code="the codes of `/readyz`")

    def _add_outcomes(self, new: "_Catalogue") -> None:
        self.events = new.counter("moderator_events_total", "Records polled from the events topic.")
        self.decisions = new.counter(
            "moderator_decisions_total",
            "Decisions published.",
            verdict="`allow`, `flag`",
            status="`scored`, `degraded`, `unscored`",
        )
        self.dead_letters = new.counter(
            "moderator_dead_letters_total", "Dead letters published.", reason="the codes of `dlq.reason`"
        )
        self.rule_matches = new.counter(
            "moderator_rule_matches_total",
            "Decisions in which a rule matched, or flagged because a score was missing. A rule's `budget` limits the "
            "`live` ones.",
            rule="rule id",
            mode="`live`, `shadow` (also a live rule outside its rollout)",
        )
        self.truncated = new.counter(
            "moderator_truncated_total",
            "Decisions on events that were not read whole.",
            cut="`context` (older turns were left out), `message` (some of the judged message was)",
            verdict="`allow`, `flag`",
        )
        self.passages = new.counter(
            "moderator_passages_total", "Passages of long messages that were read beyond the first of each."
        )
        self.hidden_text = new.counter(
            "moderator_hidden_text_total",
            "Decisions on messages with 16 or more characters that nobody sees; they are not read.",
        )
        self.scores_missing = new.counter(
            "moderator_scores_missing_total",
            "Decisions in which a rule lacked a usable score of a signal; those without any score are `unscored`.",
            signal="its name",
            cause="`absent`, `not_a_number`, `not_finite`, `implausible`",
        )
        self.shadow_flips = new.counter(
            "moderator_shadow_flips_total",
            "Decisions whose verdict the shadow rules would change.",
            shadow_verdict="`allow`, `flag`",
        )

    def _add_windows(self, new: "_Catalogue") -> None:
        self.windows = new.counter("moderator_windows_total", "Windows committed.")
        self.window_events = new.histogram("moderator_window_events", "Events in a window.", _EVENTS)
        self.score_seconds = new.histogram(
            "moderator_score_seconds", "Time to look up, tokenize and score a window.", _SECONDS
        )
        self.publish_seconds = new.histogram(
            "moderator_publish_seconds", "Time from a window's decisions to its commit.", _SECONDS
        )
        self.event_seconds = new.histogram(
            "moderator_event_seconds", "Time from an event's poll to its decision.", _SECONDS
        )

    def _add_caches(self, new: "_Catalogue") -> None:
        self.cache_lookups = new.counter(
            "moderator_cache_lookups_total",
            "Score look-ups. After all but a `hit` the text is scored.",
            outcome="`hit`, `miss`, `damaged`, `late` (past the deadline), `away` (Redis does not answer, or refuses)",
        )
        self.cache_outages = new.counter(
            "moderator_cache_outages_total", "Calls to Redis that failed or were refused.", cache="`score`, `verdict`"
        )
        self.cache_unwritten = new.counter(
            "moderator_cache_unwritten_total",
            "Scores and verdicts not kept because Redis was away or slow, or refused them.",
            cache="`score`, `verdict`",
        )
        self.cache_up = new.gauge(
            "moderator_cache_up",
            "1 while Redis takes reads and writes, 0 after one failed or was refused, until one of its kind succeeds.",
            cache="`score`, `verdict`",
        )

    def _add_publishing(self, new: "_Catalogue") -> None:
        self.publish_failures = new.counter(
            "moderator_publish_failures_total",
            "Failed attempts to publish; the producer is then replaced and the window tried again.",
            failure="class of the failure",
        )
        self.doubts_settled = new.counter(
            "moderator_commit_doubts_settled_total",
            "Partitions for which the broker was asked what became of an unanswered commit.",
            outcome="`committed`, `not committed`",
        )
        self.events_lost = new.counter(
            "moderator_events_lost_total",
            "Offsets that the log had lost before they were read; control records count too.",
            partition="number",
        )
        self.log_truncated = new.counter(
            "moderator_log_truncated_total",
            "Times that a log had lost its tail, or had lost it and was written on.",
            partition="number",
        )
        self.lag_events = new.gauge(
            "moderator_lag_events",
            "Events not yet committed in a partition that this replica owns.",
            partition="number",
        )
        self.assigned_partitions = new.gauge("moderator_assigned_partitions", "Partitions that this replica owns.")

    def _add_policies_and_model(self, new: "_Catalogue") -> None:
        self.policy_snapshot = new.gauge(
            "moderator_policy_snapshot_info", "1 for the policies that decide.", snapshot="their hash"
        )
        self.rule_budget_ratio = new.gauge(
            "moderator_rule_budget_ratio",
            "Largest share of the decisions that a rule should flag, as its `budget` says.",
            rule="rule id",
        )
        self.policy_reload_ok = new.gauge(
            "moderator_policy_reload_ok",
            "1 while what the policy folder holds is accepted, 0 while it is refused and the last good ones decide.",
        )
        self.policy_stale_seconds = new.gauge(
            "moderator_policy_stale_seconds",
            "Time since the policy folder last held the policies that decide; it is read every 2 s.",
        )
        self.state_dir_ok = new.gauge(
            "moderator_state_dir_ok", "1 while `STATE_DIR` can be written; absent without one.", is_absent=True
        )
        self.model = new.gauge(
            "moderator_model",
            "1 for the model that scores.",
            name="its name",
            fingerprint="its hash",
            dtype="precision",
        )


def _is_among(code: str, codes: Callable[[], Collection[str]]) -> bool:
    return code in codes()


def _add(counter: Counter, labels: Iterable[tuple[str, ...]]) -> None:
    for values, times in collections.Counter(labels).items():
        counter.labels(*values).inc(times)


def _shadow_flips(decisions: Iterable[EncodedDecision]) -> Iterator[tuple[str]]:
    for decision in decisions:
        if decision.shadow_verdict != decision.verdict:
            yield (decision.shadow_verdict,)


def _truncations(decisions: Iterable[EncodedDecision]) -> Iterator[tuple[str, str]]:
    for decision in decisions:
        if decision.reading["cut"] != "nothing":
            yield decision.reading["cut"], decision.verdict


def _matches(decisions: Iterable[EncodedDecision]) -> Iterator[tuple[str, str]]:
    for decision in decisions:
        yield from decision.matched


class _Catalogue:
    """Makes metrics and records what they mean."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.definitions: list[Definition] = []

    def counter(self, name: str, meaning: str, /, **labels: str) -> Counter:
        self.definitions.append(Definition(name, "counter", meaning, labels))
        return Counter(name, meaning, tuple(labels), registry=self._registry)

    def gauge(self, name: str, meaning: str, /, *, is_absent: bool = False, **labels: str) -> Gauge:
        """Make a gauge; one that `is_absent` is shown once it is registered."""
        self.definitions.append(Definition(name, "gauge", meaning, labels))
        return Gauge(name, meaning, tuple(labels), registry=None if is_absent else self._registry)

    def histogram(self, name: str, meaning: str, buckets: tuple[float, ...], /, **labels: str) -> Histogram:
        self.definitions.append(Definition(name, "histogram", meaning, labels))
        return Histogram(name, meaning, tuple(labels), registry=self._registry, buckets=buckets)


def metrics_table() -> str:
    """Give the table of metrics in Markdown."""
    rows = [
        f"| `{each.name}` | {each.kind} | {'; '.join(f'`{label}`: {values}' for label, values in each.labels.items())} "
        f"| {each.meaning} |"
        for each in Metrics(CollectorRegistry()).definitions
    ]
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows]) + "\n"
