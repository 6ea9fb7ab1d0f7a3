import math
from functools import partial
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.backtest.batches import Lines
from moderator.backtest.processes import count_all
from moderator.calibration.calibrate import (
    RewardCollector,
    Spread,
    calibration_record,
    calibration_text,
    nearest_ranks,
)
from moderator.errors import ConfigurationError, PolicyError
from moderator.policy import PolicySet
from moderator.policy.files.vocabulary import read_derived_signals
from moderator.policy.language.ast import Signal
from moderator.policy.language.scale import micro_from
from tests.unit.backtest.decisions import USUAL, recorded
from tests.unit.policy.folders import CALIBRATION_FILE, OBJECTIVES, SIGNALS, a_folder, a_model, a_policy, a_rule, a_set

CHANCE = Random(5)
REWARDS = [[round(CHANCE.random(), 7) for _ in OBJECTIVES] for _ in range(1_200)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_folder(tmp_path_factory.mktemp("policies"))


@pytest.fixture(scope="module")
def decisions(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    policies = a_set(tmp_path_factory.mktemp("plain"))
    return [recorded(policies, *rewards) for rewards in REWARDS]


def gather(decisions: list[bytes], derived: tuple[Signal, ...] = ()) -> Spread:
    lines = Lines("standard input", decisions, 1)
    return count_all(partial(RewardCollector, derived), [lines], processes=1, advance=lambda _: None)


@settings(max_examples=50)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=300))
def test_quantiles_are_the_nearest_ranks(values: list[int]) -> None:
    ordered = sorted(values)

    assert nearest_ranks(values) == [ordered[max(1, math.ceil(i * len(values) / 1000)) - 1] for i in range(1001)]


def test_a_written_calibration_is_what_percent_phrases_go_by(
    tmp_path: Path, folder: Path, decisions: list[bytes]
) -> None:
    derived = read_derived_signals(folder)

    text = calibration_text(calibration_record(gather(decisions, derived), derived, {}))
    policies = a_set(tmp_path, a_policy(a_rule("usefulness: in the lowest 2%")), calibration=text)

    calibration = policies.calibrations["ArmoRM-Llama3-8B-v0.1"]
    micro = sorted(micro_from(rewards[3]) for rewards in REWARDS)
    assert calibration.quantiles["ultrafeedback-honesty"][20] == micro[math.ceil(20 * 1.2) - 1]
    worst = sorted(min(micro_from(rewards[1]), micro_from(rewards[2])) for rewards in REWARDS)
    assert calibration.derived["usefulness"].quantiles[500] == worst[599]
    assert (calibration.event_count, calibration.noise_micro) == (1_200, {})
    flagged = sum(judged_low(policies, rewards) for rewards in REWARDS)
    assert flagged == 24


def judged_low(policies: PolicySet, rewards: list[float]) -> bool:
    verdict: str = orjson.loads(recorded(policies, *rewards))["verdict"]
    return verdict == "flag"


def test_the_file_is_the_same_every_time_with_one_list_a_line(folder: Path, decisions: list[bytes]) -> None:
    derived = read_derived_signals(folder)
    forth, back = gather(decisions, derived), gather(decisions[::-1], derived)

    texts = [calibration_text(calibration_record(spread, derived, {})) for spread in (forth, back)]

    assert texts[0] == texts[1]
    assert sum('"beavertails-is_safe": [' in line for line in texts[0].splitlines()) == 1
    assert orjson.loads(texts[0])["window"]["from"] == "2026-10-05T12:00:00.412Z"


def test_noise_is_written_rounded_up_and_null_where_it_was_not_measured(decisions: list[bytes]) -> None:
    record = calibration_record(gather(decisions), (), {"beavertails-is_safe": 0.00123456})

    assert record["noise"] == {**dict.fromkeys(OBJECTIVES), "beavertails-is_safe": 0.001235}


def test_unscored_and_implausible_rewards_are_left_out(tmp_path: Path, decisions: list[bytes]) -> None:
    policies = a_set(tmp_path)
    odd = [recorded(policies), recorded(policies, 4_000.0, *USUAL[1:])]

    spread = gather([*decisions, *odd])

    assert spread.models.total() == 1_201
    assert [len(spread.rewards[name]) for name in OBJECTIVES[:2]] == [1_200, 1_201]


def test_a_thousand_usable_rewards_of_an_objective_are_enough_and_one_less_is_not(
    tmp_path: Path, decisions: list[bytes]
) -> None:
    without_safety = recorded(a_set(tmp_path), 4_000.0, *USUAL[1:])

    enough, too_few = (
        calibration_record(gather([*decisions[:999], last]), (), {})["quantiles"]
        for last in (decisions[999], without_safety)
    )

    assert isinstance(enough, dict)
    assert isinstance(too_few, dict)
    assert set(enough) == set(OBJECTIVES)
    assert set(too_few) == set(OBJECTIVES[1:])


def test_too_few_events_or_several_models_are_refused(tmp_path: Path, decisions: list[bytes]) -> None:
    other = recorded(a_set(tmp_path), *USUAL, model=a_model(dtype="float32"))

    with pytest.raises(ConfigurationError, match="999 scored events are too few"):
        calibration_record(gather(decisions[:999]), (), {})
    with pytest.raises(ConfigurationError, match=r"1,200 by ArmoRM.*bfloat16.*; 1 by ArmoRM.*float32"):
        calibration_record(gather([*decisions, other]), (), {})
    with pytest.raises(ConfigurationError, match="none of the events was scored"):
        calibration_record(gather([recorded(a_set(tmp_path))]), (), {})


def test_signals_are_read_while_rules_still_wait_for_their_calibration(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")))
    (folder / CALIBRATION_FILE).unlink()

    assert [signal.name for signal in read_derived_signals(folder)] == ["usefulness"]


def test_what_is_chosen_among_facts_needs_no_calibration(tmp_path: Path) -> None:
    facts = "".join(
        f"  {name}: {{about: x, from_event: metadata.{name}, scale: {{}}, good: high}}\n" for name in ("age", "karma")
    )
    signals = f"{SIGNALS}{facts}  standing: {{about: x, highest_of: [age, karma]}}\n"

    found = read_derived_signals(a_folder(tmp_path, signals=signals))

    assert [signal.name for signal in found] == ["usefulness"]


def test_signals_are_read_whatever_is_wrong_with_other_files(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / "policy-1.yaml").write_bytes(b"policy: \xff")

    assert [signal.name for signal in read_derived_signals(folder)] == ["usefulness"]


def test_a_folder_without_sound_signals_is_refused(tmp_path: Path) -> None:
    broken = a_folder(tmp_path / "broken", signals="signals: [")

    with pytest.raises(PolicyError, match="cannot use the signals"):
        read_derived_signals(broken)
    (broken / "signals.yaml").unlink()
    with pytest.raises(PolicyError, match=r"P001 signals\.yaml this file is missing"):
        read_derived_signals(broken)
