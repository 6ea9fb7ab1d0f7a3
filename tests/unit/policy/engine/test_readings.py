"""What a signal reads from a reward, in whole millionths, on scales of all kinds."""

from fractions import Fraction

import pytest

from moderator.policy.engine.readings import compile_signal, readings_of
from moderator.policy.language.ast import Signal
from moderator.policy.language.scale import Scale
from moderator.policy.syntax.diagnostics import SourceFile, Span

SPAN = Span(SourceFile("signals.yaml", "", ()), 1, 1, 1)


@pytest.mark.parametrize(
    ("multiply", "add"),
    [("1", "0"), ("-1", "1"), ("0.3", "0.05"), ("0.5", "0.0000005"), ("-12.5", "0.1234567"), ("0.000001", "1/3")],
)
def test_a_score_is_the_exact_one_of_its_scale_rounded_half_to_even(multiply: str, add: str) -> None:
    scale = Scale(Fraction(multiply), Fraction(add))
    signal = Signal("risk", "harm", scale, "low", (-1_000_000, 1_000_000), SPAN)
    compiled = compile_signal(signal, ["help", "harm"])

    for micro in (-1_000_000, -15, -5, -1, 0, 1, 3, 5, 15, 25, 333_333, 1_000_000):
        (reading,) = readings_of([compiled], [None, micro / 1_000_000])
        assert reading == (micro, scale.score_micro(micro), scale.score_micro(micro) / 1_000_000, None)
