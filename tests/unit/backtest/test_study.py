import json
import re
from functools import partial
from pathlib import Path

import pytest

from moderator.backtest.batches import Batch, Lines, Records
from moderator.backtest.labels import NO_LABELS
from moderator.backtest.processes import count_all
from moderator.backtest.run import Backtest, Plan
from moderator.errors import ConfigurationError
from moderator.policy import PolicySet
from tests.builders import a_record
from tests.unit.backtest.decisions import USUAL, changed, recorded
from tests.unit.policy.folders import a_policy, a_set


@pytest.fixture
def policies(tmp_path: Path) -> PolicySet:
    return a_set(tmp_path / "policies", a_policy())


def refusal_of(policies: PolicySet, *batches: Batch) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        count_all(partial(Backtest, Plan(policies, policies, NO_LABELS)), batches, processes=1, advance=lambda _: None)
    return str(refused.value).splitlines()


def lines(*values: bytes) -> Lines:
    return Lines("standard input", values, 1)


def without(decision: bytes, *path: str) -> bytes:
    record = json.loads(decision)
    parent = record
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]
    return json.dumps(record).encode()


def test_lines_that_are_no_decisions_are_named_with_their_numbers(policies: PolicySet) -> None:
    good = recorded(policies, *USUAL)
    first = lines(good, b"", b"{broken", good)
    second = lines(
        b"[1]",
        b'{"id": "evt-1", "text": "secret words"}',
        changed(good, schema="moderator.decision/2"),
        without(good, "event", "tenant"),
        changed(good, scores="high"),
    )

    reported = refusal_of(policies, first, second)

    assert [re.sub("`.*?`", "`x`", line) for line in reported] == [
        "standard input line 3: not JSON: unexpected character, expected a string key at character 2",
        "standard input line 5: JSON, but not a decision: it has no `x`",
        "standard input line 6: JSON, but not a decision: it has no `x`",
        "standard input line 7: a decision of another schema than `x`",
        "standard input line 8: a decision whose `x` is wrong: field required",
        "standard input line 9: a decision whose `x` is wrong: input should be a valid dictionary",
    ]
    assert "`event.tenant`" in reported[4]
    assert "secret" not in "".join(reported)


@pytest.mark.parametrize("field", ["tenant", "channel", "locale"])
def test_an_event_whose_fields_are_no_text_is_named(policies: PolicySet, field: str) -> None:
    good = recorded(policies, *USUAL)
    event = json.loads(good)["event"]

    reported = refusal_of(policies, lines(good, changed(good, event={**event, field: 7})))

    assert reported == [
        f"standard input line 2: a decision whose `event.{field}` is wrong: input should be a valid string"
    ]


def test_a_byte_order_mark_does_no_harm(policies: PolicySet) -> None:
    plan = partial(Backtest, Plan(policies, policies, NO_LABELS))
    marked = lines(b"\xef\xbb\xbf" + recorded(policies, *USUAL), recorded(policies, *USUAL))

    counts = count_all(plan, [marked], processes=1, advance=lambda _: None)

    assert counts.fidelity.compared == 2


def test_reading_ends_when_more_would_not_be_reported(policies: PolicySet) -> None:
    reported = refusal_of(policies, *(lines(b"x", b"x") for _ in range(1_000)))

    assert (len(reported), reported[-1]) == (11, "and more")


def test_no_decision_at_all_is_refused(policies: PolicySet) -> None:
    assert (
        refusal_of(policies)
        == refusal_of(policies, lines(b"", b" "))
        == ["there is no decision to read: the input is empty"]
    )


def test_records_are_named_by_their_offsets(policies: PolicySet) -> None:
    good = recorded(policies, *USUAL)
    records = [a_record(good), a_record(None, topic="moderation.allow", partition=2, offset=77)]

    assert refusal_of(policies, Records(records)) == ["`moderation.allow` partition 2 offset 77: it has no value"]
