"""The catalogue of metrics: every name, unit, meaning and label is here and nowhere else.

Labels are bounded: by this file, by the policy's size, by the partitions of one topic. None ever holds a user, tenant,
event id or text.
"""

import collections
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import Final, Protocol, get_args

from prometheus_client import CollectorRegistry, Counter, GCCollector, PlatformCollector, ProcessCollector

from moderator.events import SET_ASIDE, DeadLetter, DeadLetterReason, EncodedDecision, Status, Verdict, hidden_text_of
from moderator.observability.catalogue import Catalogue, Labels
from moderator.observability.health import CODES, HealthBoard, readiness_problems
from moderator.observability.http_metrics import HttpMetrics
from moderator.observability.score_drift import Cuts, ScoreDrift

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_EVENTS = (1, 4, 16, 64, 256, 500, 1_000, 2_000, 4_000)
_VERDICTS: Final = get_args(Verdict)
_CACHES: Final = (("score",), ("verdict",))
_LOOKUPS: Final = ("hit", "miss", "damaged", "late", "away")


class DeviceUsage(Protocol):
    """What a scorer counts about its device; see `scoring.runtime.usage`."""

    texts: int
    tokens: int
    busy_s: float
    packs_halved: int
    pack_tokens: int

    def memory_bytes(self) -> Mapping[str, int]:
        """Give the device's memory by kind."""
        ...


class Metrics:
    """All metrics of one process, in the registry given. Safe to use from several threads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._drift = ScoreDrift()
        new = Catalogue(registry)
        self._add_process(new)
        self._add_outcomes(new)
        self._add_windows(new)
        self._add_caches(new)
        self._add_publishing(new)
        self._add_positions(new)
        self._add_policies_and_model(new)
        self._add_device(new)
        self.http = HttpMetrics(new)
        self.definitions = tuple(new.definitions)

    def count_outcomes(self, outcomes: Collection[EncodedDecision | DeadLetter]) -> None:
        """Count what became visible to readers: decisions, dead letters, matches and shadow flips."""
        dead_letters = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
        decisions = [outcome for outcome in outcomes if not isinstance(outcome, DeadLetter)]
        _add(self.dead_letters, ((letter.reason,) for letter in dead_letters))
        self.events_set_aside.inc(sum(letter == SET_ASIDE for letter in dead_letters))
        _add(self.decisions, ((decision.verdict, decision.status) for decision in decisions))
        _add(self.shadow_flips, _shadow_flips(decisions))
        _add(self.rule_matches, _matches(decisions))
        _add(self.truncated, _truncations(decisions))
        self.passages.inc(sum(max(0, decision.reading["passages"] - 1) for decision in decisions))
        self.hidden_text.inc(sum(hidden_text_of(decision.reading["removed"]) == "found" for decision in decisions))
        _add(self.scores_missing, (missing for decision in decisions for missing in decision.missing_scores))
        self.event_seconds.observe_many([decision.total_ms / 1_000 for decision in decisions])
        self._drift.observe([decision.signals for decision in decisions if decision.status == "scored"])

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

    def show_process(self) -> None:
        """Show `process_*`, `python_gc_*` and `python_info`, as prometheus_client has them."""
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def show_rules(self, matches: Iterable[Labels], missing: Iterable[Labels]) -> None:
        """Show what is counted of the rules that decide from now on, with 0.

        Args:
            matches: rule and mode of each way in which a rule can match.
            missing: signal and cause of each score that a rule can lack.
        """
        for labels in matches:
            self.rule_matches.labels(*labels)
        for labels in missing:
            self.scores_missing.labels(*labels)

    def show_drift(self, cuts_by_signal: Mapping[str, Cuts]) -> None:
        """Follow the scores of these signals from now on."""
        self._drift.follow(cuts_by_signal)
        self.score_drift.clear()
        for signal in cuts_by_signal:
            self.score_drift.labels(signal).set_function(partial(self._drift.index, signal))

    def show_device(self, usage: DeviceUsage) -> None:
        """Let each scrape see what the scorer has counted by then."""
        self.scored_texts.set_function(lambda: usage.texts)
        self.scored_tokens.set_function(lambda: usage.tokens)
        self.device_busy.set_function(lambda: usage.busy_s)
        self.device_out_of_memory.set_function(lambda: usage.packs_halved)
        self.pack_tokens.set_function(lambda: usage.pack_tokens)
        for kind in usage.memory_bytes():
            self.device_memory.labels(kind).set_function(partial(_memory_of, usage, kind))

    def _add_process(self, new: Catalogue) -> None:
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

    def _add_outcomes(self, new: Catalogue) -> None:
        self.events = new.counter("moderator_events_total", "Records polled from the events topic.")
        self.decisions = new.counter(
            "moderator_decisions_total",
            "Decisions published.",
            zeros=product(_VERDICTS, get_args(Status)),
            verdict="`allow`, `flag`",
            status="`scored`, `degraded`, `unscored`",
        )
        self.dead_letters = new.counter(
            "moderator_dead_letters_total",
            "Dead letters published.",
            zeros=((reason,) for reason in get_args(DeadLetterReason)),
            reason="the codes of `dlq.reason`",
        )
        self.events_set_aside = new.counter(
            "moderator_events_set_aside_total",
            "Events that became dead letters because the process ended twice while it scored each of them alone.",
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
            zeros=product(("context", "message"), _VERDICTS),
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
            "Decisions in which a rule lacked a usable score or fact; those without any score are `unscored`.",
            signal="its name",
            cause="`absent`, `not_a_number`, `not_finite`, `implausible`",
        )
        self.shadow_flips = new.counter(
            "moderator_shadow_flips_total",
            "Decisions whose verdict the shadow rules would change.",
            zeros=((verdict,) for verdict in _VERDICTS),
            shadow_verdict="`allow`, `flag`",
        )

    def _add_windows(self, new: Catalogue) -> None:
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
        self.end_to_end_seconds = new.histogram(
            "moderator_end_to_end_seconds",
            "Time from an event's timestamp (the broker's, with `LogAppendTime`) to the commit of what became of it.",
            _LONG_SECONDS,
        )
        self.last_commit = new.gauge(
            "moderator_last_commit_timestamp_seconds", "Unix time of the last commit; 0 before the first."
        )

    def _add_caches(self, new: Catalogue) -> None:
        self.cache_lookups = new.counter(
            "moderator_cache_lookups_total",
            "Score look-ups. After all but a `hit` the text is scored.",
            zeros=((outcome,) for outcome in _LOOKUPS),
            outcome="`hit`, `miss`, `damaged`, `late` (past the deadline), `away` (Redis does not answer, or refuses)",
        )
        self.cache_outages = new.counter(
            "moderator_cache_outages_total",
            "Calls to Redis that failed or were refused.",
            zeros=_CACHES,
            cache="`score`, `verdict`",
        )
        self.cache_unwritten = new.counter(
            "moderator_cache_unwritten_total",
            "Scores and verdicts not kept because Redis was away or slow, or refused them.",
            zeros=_CACHES,
            cache="`score`, `verdict`",
        )
        self.cache_up = new.gauge(
            "moderator_cache_up",
            "1 while Redis takes reads and writes, 0 after one failed or was refused, until one of its kind succeeds; "
            "absent where no Redis is named.",
            cache="`score`, `verdict`",
        )

    def _add_publishing(self, new: Catalogue) -> None:
        self.publish_failures = new.counter(
            "moderator_publish_failures_total",
            "Failed attempts to publish; the producer is then replaced and the window tried again.",
            failure="class of the failure",
        )
        self.doubts_settled = new.counter(
            "moderator_commit_doubts_settled_total",
            "Partitions for which the broker was asked what became of an unanswered commit.",
            zeros=(("committed",), ("not committed",)),
            outcome="`committed`, `not committed`",
        )

    def _add_positions(self, new: Catalogue) -> None:
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
        self.lag_seconds = new.gauge(
            "moderator_lag_seconds",
            "Age of the oldest event that was read and is not committed, by its timestamp; 0 when there is none.",
            partition="number",
        )
        self.assigned_partitions = new.gauge("moderator_assigned_partitions", "Partitions that this replica owns.")
        self.rebalances = new.counter(
            "moderator_rebalances_total", "Times that partitions were assigned to this replica or taken from it."
        )
        self.partitions_lost = new.counter(
            "moderator_partitions_lost_total",
            "Partitions taken from this replica unasked: the group had given it up.",
        )

    def _add_policies_and_model(self, new: Catalogue) -> None:
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
        self.policy_refused = new.gauge(
            "moderator_policy_refused",
            "1 while the refused folder's error or failing test lies in that policy.",
            policy="its name",
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
        self.score_drift = new.gauge(
            "moderator_score_drift",
            "Population stability index of the last 5,000 scored decisions against the signal's calibration, over ten "
            "equal parts; above 0.25 the texts are others. 0 until there are 1,000; for calibrated signals alone.",
            signal="its name",
        )

    def _add_device(self, new: Catalogue) -> None:
        self.device_busy = new.read_counter(
            "moderator_device_busy_seconds_total", "Time with a pack on the device; its rate is the busy share."
        )
        self.scored_texts = new.read_counter("moderator_scored_texts_total", "Texts that went through the model.")
        self.scored_tokens = new.read_counter(
            "moderator_scored_tokens_total", "Tokens that went through the model; padding does not count."
        )
        self.device_out_of_memory = new.read_counter(
            "moderator_device_out_of_memory_total", "Packs halved because they did not fit into the device's memory."
        )
        self.pack_tokens = new.gauge("moderator_pack_tokens", "Token budget of a pack at present.")
        self.device_memory = new.gauge(
            "moderator_device_memory_bytes",
            "Memory of the device; where it is no CUDA device `total` alone, the machine's.",
            kind="`allocated` by tensors, `reserved` by the allocator, `total`",
        )


def _memory_of(usage: DeviceUsage, kind: str) -> int:
    return usage.memory_bytes()[kind]


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


def metrics_table() -> str:
    """Give the table of metrics in Markdown."""
    rows = [
        f"| `{each.name}` | {each.kind} | {'; '.join(f'`{label}`: {values}' for label, values in each.labels.items())} "
        f"| {each.meaning} |"
        for each in Metrics(CollectorRegistry()).definitions
    ]
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows]) + "\n"
