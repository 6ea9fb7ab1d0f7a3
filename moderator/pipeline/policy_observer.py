"""Logs, metrics and health of the policies that decide and of edits to their folder."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from moderator.events import Cause
from moderator.observability.health import HealthBoard, PolicyHealth
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.policy import Diagnostic, PolicySet
from moderator.policy.language.ast import Rule
from moderator.policy.live.admission import Accepted
from moderator.policy.live.refusal import Refusal
from moderator.policy.live.start import Start

if TYPE_CHECKING:
    from moderator.policy.analysis.diff import Change, PolicyDiff

log = get_logger(__name__)


def log_warnings(warnings: Iterable[Diagnostic]) -> None:
    """Log the warnings about policies that were accepted."""
    for warning in warnings:
        log.warning("policy_warning", warning=str(warning))


class PolicyObserver:
    """Reports the start and every reload; it is the `ReloadObserver` of `run`.

    Args:
        metrics: gets the snapshot, the rules' budgets, and whether and for how long the folder differs.
        board: gets how long the folder differs, for `/readyz`.
        monotonic_s: the clock, in seconds.
        model: the name of the model that scores.
        max_stale_s: how long the folder may differ from what decides before `/readyz` fails; None: forever.
    """

    def __init__(
        self,
        metrics: Metrics,
        board: HealthBoard,
        monotonic_s: Callable[[], float],
        model: str,
        max_stale_s: float | None = None,
    ) -> None:
        self._metrics = metrics
        self._model = model
        self._board = board
        self._monotonic_s = monotonic_s
        self._max_stale_s = max_stale_s
        metrics.policy_stale_seconds.set_function(self._stale_s)

    def started(self, start: Start) -> None:
        """These policies decide first."""
        policies = start.accepted.policies
        self._show(policies)
        self._show_agreement(policies, is_ok=start.refusal is None)
        if start.store is not None:
            self._metrics.show_state_dir()
        log_warnings(start.accepted.warnings)
        if start.refusal is not None:
            self.refused(start.refusal, policies)
            log.warning("started_on_last_good_policies", snapshot=policies.snapshot)

    def reloaded(self, before: PolicySet, accepted: Accepted, difference: "PolicyDiff") -> None:
        """Other policies decide from now on."""
        snapshot = accepted.policies.snapshot
        self._show(accepted.policies)
        self._show_agreement(accepted.policies)
        if before.snapshot != snapshot:
            self._metrics.policy_snapshot.remove(before.snapshot)
        changes = [_in_one_line(change) for change in difference.changes]
        log.info(
            "policies_reloaded", snapshot=snapshot, before=before.snapshot, changes=changes, claim=difference.claim
        )
        log_warnings(accepted.warnings)

    def refused(self, refusal: Refusal, running: PolicySet) -> None:
        """The folder's policies may not decide; those that run go on."""
        self._metrics.policy_reload_ok.set(0)
        self._show_refused(running, refusal.policies)
        folder, snapshot = str(refusal.state.folder), running.snapshot
        log.error(
            "policies_refused",
            folder=folder,
            error=refusal.error,
            policies=list(refusal.policies),
            owners=list(refusal.owners),
            decided_by=snapshot,
        )

    def in_effect(self, running: PolicySet, withdrawn: Refusal | None) -> None:
        """The folder holds what decides; `withdrawn` was refused and is no longer there."""
        if withdrawn is not None:
            log.info("policies_taken_back", decided_by=running.snapshot)
        self._show_agreement(running)

    def not_stored(self, state_dir: Path, cause: str) -> None:
        """The policies that decide could not be stored."""
        self._metrics.state_dir_ok.set(0)
        log.warning("policies_not_kept", state_dir=str(state_dir), cause=cause)

    def stored(self) -> None:
        """The policies that decide are in the state folder."""
        self._metrics.state_dir_ok.set(1)

    def _show(self, policies: PolicySet) -> None:
        self._metrics.policy_snapshot.labels(policies.snapshot).set(1)
        self._metrics.rule_budget_ratio.clear()
        for rule in policies.active_rules:
            if rule.flag_share is not None:
                self._metrics.rule_budget_ratio.labels(rule.id).set(float(rule.flag_share / 100))
        self._metrics.show_rules(_ways_to_match(policies.active_rules), _scores_to_lack(policies.active_rules))
        self._metrics.show_drift(policies.score_cuts(self._model))

    def _show_agreement(self, running: PolicySet, *, is_ok: bool = True) -> None:
        self._metrics.policy_reload_ok.set(is_ok)
        self._show_refused(running, ())
        self._board.policies = PolicyHealth(self._monotonic_s(), self._max_stale_s)

    def _show_refused(self, running: PolicySet, refused: Iterable[str]) -> None:
        """Show of each policy whether the folder is refused for it; what was refused may be new."""
        self._metrics.policy_refused.clear()
        for policy in running.policies:
            self._metrics.policy_refused.labels(policy.name).set(0)
        for name in refused:
            self._metrics.policy_refused.labels(name).set(1)

    def _stale_s(self) -> float:
        policies = self._board.policies
        return self._monotonic_s() - policies.agreed_at_s if policies else 0.0


def _ways_to_match(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        yield rule.id, rule.mode
        if rule.mode == "live" and rule.rollout is not None:
            yield rule.id, "shadow"


def _scores_to_lack(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    signals = {condition.signal.name for rule in rules for condition in rule.conditions}
    return product(sorted(signals), get_args(Cause))


def _in_one_line(change: "Change") -> str:
    text = f"{change.kind} {change.what}: {'; '.join(change.lines)}"
    return ", ".join(filter(None, (text, change.claim, change.warning)))
