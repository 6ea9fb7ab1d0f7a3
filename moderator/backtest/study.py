"""Count one batch of recorded decisions; what is not a decision is reported with its place."""

from typing import NamedTuple, Protocol, Self, TypeVar

from moderator.backtest.batches import Batch
from moderator.backtest.decision import InvalidDecisionError, read_decision, schema_fault
from moderator.events import Decision

SHOWN_INVALID_VALUES = 10

Position = tuple[int, int]
"""A decision's batch, and its place within; in the order of the input."""


class Counted(Protocol):
    """What a study has counted; it is sent between processes."""

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        ...


C = TypeVar("C", bound=Counted)
C_co = TypeVar("C_co", bound=Counted, covariant=True)


class Study(Protocol[C_co]):
    """Counts decisions, one after another."""

    @property
    def counted(self) -> C_co:
        """What was counted so far."""
        ...

    def add(self, position: Position, decision: Decision) -> None:
        """Count one decision; KeyError, TypeError, ValueError and AttributeError may mean that it is not valid."""
        ...


class InvalidValue(NamedTuple):
    """A value that is not a decision: its number in the batch from 0, its line from 1, and why."""

    number: int
    line: int
    text: str


class Done(NamedTuple):
    """What one batch held."""

    lines: int
    decisions: int
    invalid: list[InvalidValue]


def count_batch(study: Study[Counted], number: int, batch: Batch) -> Done:
    """Count one batch; values that are not decisions are reported, up to one more than is shown."""
    lines = decisions = 0
    invalid: list[InvalidValue] = []
    for index, value in enumerate(batch.values()):
        lines += 1
        if value is not None and not value.strip():
            continue
        try:
            _add(study, (number, index), value)
            decisions += 1
        except InvalidDecisionError as error:
            invalid.append(InvalidValue(index, lines, str(error)))
            if len(invalid) > SHOWN_INVALID_VALUES:
                break
    return Done(lines, decisions, invalid)


def _add(study: Study[Counted], position: Position, value: bytes | None) -> None:
    decision = read_decision(value)
    try:
        study.add(position, decision)
    except (KeyError, TypeError, ValueError, AttributeError):
        fault = schema_fault(decision)
        if fault is None:
            raise  # the decision is valid: this is a defect of the program
        raise fault from None
