"""An event that ends the process each time it is scored, at each place and in windows of each size."""

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.pipeline.lives import MOST_ENDS, Lives, a_log, outcomes


@pytest.mark.parametrize("max_events", [1, 50, 65, 150])
@pytest.mark.parametrize("poisoned", [0, 64, 149])
@pytest.mark.parametrize("partitions", [1, 2])
def test_a_poison_costs_at_most_five_ends_and_nobody_else_suffers(
    tmp_path: Path, max_events: int, poisoned: int, partitions: int
) -> None:
    lives = Lives(tmp_path, a_log(150, poisoned, partitions=partitions), max_events=max_events)

    ends = lives.live_to_the_end()

    assert ends <= MOST_ENDS
    assert lives.set_aside == [(poisoned % partitions, poisoned // partitions)]
    assert outcomes(lives.log) == Counter((n % partitions, n // partitions) for n in range(150))
