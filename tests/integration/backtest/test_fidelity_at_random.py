"""Random rewards, users and times: what was decided comes out just as recorded."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderator.policy import PolicySet
from tests.unit.backtest.decisions import recorded, recorded_in_passages, report_of
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, a_set

NOISY_FLOAT = st.floats(-1_200, 1_200) | st.integers(-(2**20), 2**20).map(lambda n: n / 2**14) | st.floats(0, 1)


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    """The whole language's example."""
    return a_set(tmp_path_factory.mktemp("policies"), CHAT_SAFETY, exemptions=EXEMPTIONS)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rewards=st.lists(NOISY_FLOAT, min_size=4, max_size=4),
    user=st.sampled_from(["user-1", "user-5", "", None]),
    channel=st.sampled_from(["help", "red-team", None]),
    at_ms=st.integers(1_780_000_000_000, 1_810_000_000_000) | st.none(),
    time=st.sampled_from(["2026-10-05T12:00:00Z", "yesterday", None, 12]),
)
def test_whatever_was_decided_comes_out_just_as_recorded(
    policies: PolicySet,
    *,
    rewards: list[float],
    user: str | None,
    channel: str | None,
    at_ms: int | None,
    time: str | int | None,
) -> None:
    decision = recorded(policies, *rewards, user=user, channel=channel, at_ms=at_ms, time=time)

    fidelity = report_of(policies, policies, [decision]).fidelity

    assert (fidelity.compared, fidelity.reproduced, fidelity.differences) == (1, 1, ())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(passages=st.lists(st.lists(NOISY_FLOAT, min_size=4, max_size=4), min_size=2, max_size=4))
def test_what_was_decided_on_passages_comes_out_just_as_recorded(
    policies: PolicySet, passages: list[list[float]]
) -> None:
    fidelity = report_of(policies, policies, [recorded_in_passages(policies, *passages)]).fidelity

    assert (fidelity.compared, fidelity.reproduced, fidelity.differences) == (1, 1, ())
