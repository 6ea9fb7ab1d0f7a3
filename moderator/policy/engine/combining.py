"""What the rules that fire say together: verdict, severity, reasons, labels, and what is to be done."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from moderator.events import SEVERITIES, ChatEvent, Notice, Recipient, RuleResult, Severity, Status, Verdict
from moderator.policy.engine.rules import CompiledRule
from moderator.policy.language.ast import FolderSettings, Texts
from moderator.policy.language.fields import normal_locale

_RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_FALLBACK_LOCALE = "en"


class Judgement(NamedTuple):
    """What the policies say of one event.

    Attributes:
        severity: the highest of the rules that count; None when the verdict is allow.
        reasons: sorted, no doubles; `score_missing` or `fact_missing` where a rule counted because one is missing;
            `truncated` alone where no rule flags and some of the judged message was not read; `unscored` besides
            others where the model gave no score.
        labels: sorted, no doubles; those of rules that tag too.
        action: the strongest of the rules that count; None where none names one.
        queues: sorted, no doubles.
        notify: sorted by recipient and key, no doubles.
        rules: every rule but those that are off or do not apply, by id.
        shadow_verdict, shadow_action: the verdict and action had all shadow rules been live.
        signals: score on the human scale by signal, 6 decimals; None where it is unusable.
    """

    verdict: Verdict
    status: Status
    severity: Severity | None
    reasons: list[str]
    labels: list[str]
    action: str | None
    queues: list[str]
    notify: list[Notice]
    rules: list[RuleResult]
    shadow_verdict: Verdict
    shadow_action: str | None
    signals: dict[str, float | None]


class Fired(NamedTuple):
    """A rule that fires; `counts`: it is live, and the event inside its rollout."""

    rule: CompiledRule
    reason: str
    counts: bool


class Combiner:
    """Combines the rules that fire for one event; their order makes no difference.

    Args:
        texts: of texts.yaml, key -> locale -> text; None: the product has its own texts.
    """

    def __init__(self, settings: FolderSettings, texts: Texts | None) -> None:
        self._strength = {action: rank for rank, action in enumerate(settings.actions)}
        self._texts = texts
        self._flags_truncated = settings.flags_truncated
        self._unscored_verdict: Verdict = settings.unscored_verdict

    def scored(
        self,
        event: ChatEvent,
        fired: Sequence[Fired],
        results: list[RuleResult],
        signals: dict[str, float | None],
        status: Status,
    ) -> Judgement:
        """Combine for an event that the model scored, or some of it."""
        is_cut = event.cut == "message" and self._flags_truncated
        if not fired and not is_cut:
            return Judgement("allow", status, None, [], [], None, [], [], results, "allow", None, signals)
        if is_cut and not any(each.counts and each.rule.is_flag for each in fired):
            return self._combined(event, fired, results, signals, status, by_itself=("flag", "medium", ["truncated"]))
        return self._combined(event, fired, results, signals, status, by_itself=("allow", None, []))

    def unscored(
        self, event: ChatEvent, fired: Sequence[Fired], results: list[RuleResult], signals: dict[str, float | None]
    ) -> Judgement:
        """Combine for an event that the model gave no score: besides its rules `if_unscored` speaks."""
        verdict = self._unscored_verdict
        severity: Severity | None = "high" if verdict == "flag" else None
        by_itself: _ByItself = (verdict, severity, ["unscored"])
        return self._combined(event, fired, results, signals, "unscored", by_itself=by_itself)

    def _combined(
        self,
        event: ChatEvent,
        fired: Sequence[Fired],
        results: list[RuleResult],
        signals: dict[str, float | None],
        status: Status,
        *,
        by_itself: "_ByItself",
    ) -> Judgement:
        verdict, severity, reasons = by_itself
        counting = [each for each in fired if each.counts]
        flags = [each.rule for each in counting if each.rule.is_flag]
        would_flag = [each.rule for each in fired if each.rule.is_flag]
        return Judgement(
            verdict="flag" if flags else verdict,
            status=status,
            severity=_highest([severity, *(rule.severity for rule in flags)]),
            reasons=sorted({*reasons, *(each.reason for each in counting if each.rule.is_flag)}),
            labels=sorted({label for each in counting for label in each.rule.labels}),
            action=self._strongest(flags),
            queues=sorted({each.queue for each in flags if each.queue is not None}),
            notify=self._notices(event, flags),
            rules=results,
            shadow_verdict="flag" if would_flag else verdict,
            shadow_action=self._strongest(would_flag),
            signals=signals,
        )

    def _strongest(self, rules: Iterable[CompiledRule]) -> str | None:
        actions = [rule.action for rule in rules if rule.action is not None]
        return max(actions, key=self._strength.__getitem__, default=None)

    def _notices(self, event: ChatEvent, rules: Iterable[CompiledRule]) -> list[Notice]:
        wanted = sorted({notice for rule in rules for notice in rule.notify})
        return [_notice(to, key, event.locale, self._texts) for to, key in wanted]


_ByItself = tuple[Verdict, Severity | None, list[str]]
"""Verdict, severity and reasons of an event of which no rule says anything."""


def _highest(severities: Iterable[Severity | None]) -> Severity | None:
    rank = max((_RANK[each] for each in severities if each is not None), default=None)
    return None if rank is None else SEVERITIES[rank]


def _notice(to: Recipient, key: str, locale: str | None, texts: Texts | None) -> Notice:
    """Give the text in the event's locale, else in its language, else in English."""
    if texts is None:
        return {"to": to, "key": key, "text": None, "locale": None}
    by_locale = texts[key]
    wanted = normal_locale(locale) if locale else _FALLBACK_LOCALE
    known = {normal_locale(name): name for name in by_locale}
    chosen = next(known[each] for each in (wanted, wanted.partition("-")[0], _FALLBACK_LOCALE) if each in known)
    return {"to": to, "key": key, "text": by_locale[chosen], "locale": chosen}
