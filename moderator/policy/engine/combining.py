"""What the rules that fire say together: verdict, severity, reasons, labels, and what is to be done."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from moderator.events import SEVERITIES, ChatEvent, Notice, Recipient, RuleResult, Severity, Status, Verdict
from moderator.policy.engine.rules import NO_ACTION, CompiledRule
from moderator.policy.language.ast import FolderSettings, Texts
from moderator.policy.language.fields import normal_locale

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


Fired = tuple[CompiledRule, str, bool]
"""A rule that fires, why, and whether it counts: it is live, and the event inside its rollout."""


class Combiner:
    """Combines the rules that fire for one event; their order makes no difference.

    Args:
        texts: of texts.yaml, key -> locale -> text; None: the product has its own texts.
    """

    def __init__(self, settings: FolderSettings, texts: Texts | None) -> None:
        self._actions = settings.actions
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
        if is_cut and not any(counts and rule.is_flag for rule, _, counts in fired):
            return self._combined(event, fired, results, signals, status, by_itself=_TRUNCATED)
        return self._combined(event, fired, results, signals, status, by_itself=_NOTHING)

    def unscored(
        self, event: ChatEvent, fired: Sequence[Fired], results: list[RuleResult], signals: dict[str, float | None]
    ) -> Judgement:
        """Combine for an event that the model gave no score: besides its rules `if_unscored` counts."""
        rank = SEVERITIES.index("high") if self._unscored_verdict == "flag" else _NO_RANK
        by_itself: _ByItself = (self._unscored_verdict, rank, ("unscored",))
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
        """Go through the rules once."""
        verdict, rank, by_itself_reasons = by_itself
        shadow_verdict = verdict
        strength = shadow_strength = NO_ACTION
        reasons = [*by_itself_reasons]
        labels: list[str] = []
        queues: list[str] = []
        notices: list[tuple[Recipient, str]] = []
        for rule, reason, counts in fired:
            if counts:
                labels += rule.labels
            if not rule.is_flag:
                continue
            shadow_verdict = "flag"
            shadow_strength = max(shadow_strength, rule.strength)
            if counts:
                verdict = "flag"
                reasons.append(reason)
                rank = max(rank, rule.rank)
                strength = max(strength, rule.strength)
                notices += rule.notify
                queues += rule.queues
        return Judgement(
            verdict,
            status,
            None if rank == _NO_RANK else SEVERITIES[rank],
            sorted(set(reasons)),
            sorted(set(labels)),
            None if strength == NO_ACTION else self._actions[strength],
            sorted(set(queues)) if queues else [],
            self._notices(event, notices) if notices else [],
            results,
            shadow_verdict,
            None if shadow_strength == NO_ACTION else self._actions[shadow_strength],
            signals,
        )

    def _notices(self, event: ChatEvent, notices: Iterable[tuple[Recipient, str]]) -> list[Notice]:
        return [_notice(to, key, event.locale, self._texts) for to, key in sorted(set(notices))]


_NO_RANK = -1
_ByItself = tuple[Verdict, int, tuple[str, ...]]
"""Verdict, rank of the severity and reasons of an event of which no rule says anything."""
_NOTHING: _ByItself = ("allow", _NO_RANK, ())
_TRUNCATED: _ByItself = ("flag", SEVERITIES.index("medium"), ("truncated",))


def _notice(to: Recipient, key: str, locale: str | None, texts: Texts | None) -> Notice:
    """Give the text in the event's locale, else in its language, else in English."""
    if texts is None:
        return {"to": to, "key": key, "text": None, "locale": None}
    by_locale = texts[key]
    wanted = normal_locale(locale) if locale else _FALLBACK_LOCALE
    known = {normal_locale(name): name for name in by_locale}
    chosen = next(known[each] for each in (wanted, wanted.partition("-")[0], _FALLBACK_LOCALE) if each in known)
    return {"to": to, "key": key, "text": by_locale[chosen], "locale": chosen}
