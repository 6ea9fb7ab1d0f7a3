"""The catalogue, and what is counted of a window."""

from prometheus_client import CollectorRegistry

from moderator.events import DeadLetter
from moderator.observability.metrics import Metrics, metrics_table
from tests.builders import an_encoded_decision


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_decisions_are_counted_by_verdict_and_status() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.count_outcomes(
        [
            an_encoded_decision(),
            an_encoded_decision(),
            an_encoded_decision(verdict="flag", status="unscored", shadow_verdict="flag"),
        ]
    )

    assert _value(metrics, "moderator_decisions_total", verdict="allow", status="scored") == 2
    assert _value(metrics, "moderator_decisions_total", verdict="flag", status="unscored") == 1
    assert _value(metrics, "moderator_event_seconds_count") == 3
    assert _value(metrics, "moderator_event_seconds_sum") == 3 * 0.048


def test_dead_letters_are_counted_by_reason() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.count_outcomes([DeadLetter("bad_json", "x"), DeadLetter("no_text", "x"), DeadLetter("bad_json", "y")])

    assert _value(metrics, "moderator_dead_letters_total", reason="bad_json") == 2
    assert _value(metrics, "moderator_dead_letters_total", reason="no_text") == 1


def test_matches_are_counted_by_rule_and_mode() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.count_outcomes([an_encoded_decision(matched=[("a", "live"), ("c", "shadow")]), an_encoded_decision()])

    assert _value(metrics, "moderator_rule_matches_total", rule="a", mode="live") == 1
    assert _value(metrics, "moderator_rule_matches_total", rule="c", mode="shadow") == 1


def test_events_that_were_cut_and_messages_with_hidden_text_are_counted() -> None:
    metrics = Metrics(CollectorRegistry())
    readings = [("nothing", 0), ("context", 15), ("message", 16), ("message", 2_000)]

    metrics.count_outcomes(
        [
            an_encoded_decision(
                verdict="flag" if cut == "message" else "allow",
                reading={"cut": cut, "passages": 3, "removed": removed, "skipped": {}},
            )
            for cut, removed in readings
        ]
    )

    assert _value(metrics, "moderator_truncated_total", cut="context", verdict="allow") == 1
    assert _value(metrics, "moderator_truncated_total", cut="message", verdict="flag") == 2
    assert _value(metrics, "moderator_truncated_total", cut="nothing", verdict="allow") is None
    assert _value(metrics, "moderator_hidden_text_total") == 2
    assert _value(metrics, "moderator_passages_total") == 8


def test_scores_that_rules_lacked_are_counted_by_signal_and_cause() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.count_outcomes([an_encoded_decision(missing_scores=[("safety", "not_finite")]), an_encoded_decision()])

    assert _value(metrics, "moderator_scores_missing_total", signal="safety", cause="not_finite") == 1


def test_a_verdict_that_shadow_rules_would_change_is_a_flip() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.count_outcomes(
        [
            an_encoded_decision(shadow_verdict="flag"),
            an_encoded_decision(),
            an_encoded_decision(verdict="flag", shadow_verdict="flag"),
        ]
    )

    assert _value(metrics, "moderator_shadow_flips_total", shadow_verdict="flag") == 1
    assert _value(metrics, "moderator_shadow_flips_total", shadow_verdict="allow") is None


def test_two_processes_parts_can_live_side_by_side() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())

    first.windows.inc()

    assert _value(first, "moderator_windows_total") == 1
    assert _value(second, "moderator_windows_total") == 0


def test_the_table_lists_every_metric_of_the_registry() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.show_state_dir()
    exposed = {family.name for family in metrics.registry.collect()}

    listed = {line.split("`")[1].removesuffix("_total") for line in metrics_table().splitlines()[2:]}

    assert listed == exposed
