"""The catalogue, and what is counted of a window."""

from itertools import product

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from moderator.events import SET_ASIDE, DeadLetter
from moderator.observability.metrics import Metrics, metrics_table
from tests.builders import an_encoded_decision
from tests.exposition import SomeUsage, some_metrics


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


def test_an_event_that_was_set_aside_is_counted_beside_the_other_dead_letters() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.count_outcomes([SET_ASIDE, DeadLetter("crashed_scorer", "deciding on it raised"), SET_ASIDE])

    assert _value(metrics, "moderator_events_set_aside_total") == 2
    assert _value(metrics, "moderator_dead_letters_total", reason="crashed_scorer") == 3


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
    assert _value(metrics, "moderator_shadow_flips_total", shadow_verdict="allow") == 0


def test_two_processes_parts_can_live_side_by_side() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())

    first.windows.inc()

    assert _value(first, "moderator_windows_total") == 1
    assert _value(second, "moderator_windows_total") == 0


def test_the_table_lists_every_metric_of_the_registry() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.show_state_dir()
    metrics.show_device(SomeUsage())
    exposed = {family.name for family in metrics.registry.collect()}

    listed = {line.split("`")[1].removesuffix("_total") for line in metrics_table().splitlines()[2:]}

    assert listed == exposed


def test_at_the_first_scrape_all_that_can_be_named_beforehand_is_0() -> None:
    metrics = Metrics(CollectorRegistry())
    known = [
        *(
            ("moderator_decisions_total", {"verdict": verdict, "status": status})
            for verdict, status in product(("allow", "flag"), ("scored", "degraded", "unscored"))
        ),
        *(
            ("moderator_dead_letters_total", {"reason": reason})
            for reason in ("bad_json", "bad_schema", "too_large", "no_text", "crashed_scorer")
        ),
        *(
            ("moderator_cache_lookups_total", {"outcome": outcome})
            for outcome in ("hit", "miss", "damaged", "late", "away")
        ),
        *(
            (f"moderator_cache_{name}_total", {"cache": cache})
            for name, cache in product(("outages", "unwritten"), ("score", "verdict"))
        ),
        *(
            ("moderator_commit_doubts_settled_total", {"outcome": outcome})
            for outcome in ("committed", "not committed")
        ),
        *(
            ("moderator_truncated_total", {"cut": cut, "verdict": verdict})
            for cut, verdict in product(("context", "message"), ("allow", "flag"))
        ),
        *(("moderator_shadow_flips_total", {"shadow_verdict": verdict}) for verdict in ("allow", "flag")),
        *(
            (name, {})
            for name in (
                "moderator_events_total",
                "moderator_events_set_aside_total",
                "moderator_rebalances_total",
                "moderator_partitions_lost_total",
                "moderator_last_commit_timestamp_seconds",
                "moderator_end_to_end_seconds_count",
                "moderator_device_busy_seconds_total",
                "moderator_scored_texts_total",
                "moderator_scored_tokens_total",
                "moderator_device_out_of_memory_total",
            )
        ),
    ]

    assert [series for series in known if _value(metrics, series[0], **series[1]) != 0] == []


@pytest.mark.parametrize("encode", [generate_latest, openmetrics.generate_latest])
def test_no_series_says_when_another_was_created(encode: object) -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.windows.inc()
    metrics.show_process()
    assert callable(encode)

    assert b"_created" not in encode(metrics.registry)


def test_what_rules_can_count_is_0_from_when_they_decide() -> None:
    metrics = Metrics(CollectorRegistry())

    metrics.show_rules([("safety/rude", "live")], [("safety", "absent")])

    assert _value(metrics, "moderator_rule_matches_total", rule="safety/rude", mode="live") == 0
    assert _value(metrics, "moderator_scores_missing_total", signal="safety", cause="absent") == 0


def test_the_drift_of_scored_decisions_is_shown_for_calibrated_signals_alone() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.show_drift({"safety": tuple(tenth / 10 for tenth in range(1, 10))})

    metrics.count_outcomes([an_encoded_decision(signals={"safety": 0.05, "helpfulness": 0.5})] * 999)
    metrics.count_outcomes([an_encoded_decision(signals={"safety": 0.05}, status="degraded")] * 10)
    before = _value(metrics, "moderator_score_drift", signal="safety")
    metrics.count_outcomes([an_encoded_decision(signals={"safety": 0.05})])

    assert before == 0
    assert (_value(metrics, "moderator_score_drift", signal="safety") or 0) > 0.25
    assert _value(metrics, "moderator_score_drift", signal="helpfulness") is None


def test_a_signal_that_lost_its_calibration_is_shown_no_longer() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.show_drift({"safety": (0.5,) * 9})

    metrics.show_drift({})

    assert _value(metrics, "moderator_score_drift", signal="safety") is None


def test_a_scrape_reads_what_the_scorer_has_counted() -> None:
    metrics, usage = Metrics(CollectorRegistry()), SomeUsage()
    metrics.show_device(usage)

    usage.texts = 4

    assert _value(metrics, "moderator_scored_texts_total") == 4
    assert _value(metrics, "moderator_scored_tokens_total") == 90
    assert _value(metrics, "moderator_device_busy_seconds_total") == 1.5
    assert _value(metrics, "moderator_device_out_of_memory_total") == 1
    assert _value(metrics, "moderator_pack_tokens") == 512
    assert _value(metrics, "moderator_device_memory_bytes", kind="allocated") == 16_000


def test_every_metric_has_a_series_and_a_meaning() -> None:
    families = {family.name: family for family in some_metrics().registry.collect()}

    assert [name for name, family in families.items() if not family.samples or not family.documentation] == []
