"""The progress of a stage, and the learning rate that follows from it."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

_REPORTED_STEPS = 100
_WARM_UP_STEPS = 50


@dataclass
class Progress:
    """How much of a stage is done: of its plan or of its time, whichever is more.

    Attributes:
        limit_s: most seconds of the stage; None: no limit (then a run can be repeated exactly).
        reached: share of the plan that is done, 0..1; the stage updates it.
        steps: optimizer steps taken.
    """

    limit_s: float | None = None
    reached: float = 0.0
    steps: int = 0
    _started_s: float = field(default_factory=time.monotonic)

    @property
    def share(self) -> float:
        """How much of the stage is done, 0..1."""
        by_time = 0.0 if self.limit_s is None else self.elapsed_s / self.limit_s
        return min(1.0, max(self.reached, by_time))

    @property
    def is_over(self) -> bool:
        """Whether the stage is finished."""
        return self.share >= 1

    @property
    def elapsed_s(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self._started_s


class Learner:
    """AdamW with a short warm-up and a cosine decay to a share of each rate; prints its progress."""

    def __init__(
        self, stage: str, rates: Mapping[torch.nn.Module, float], progress: Progress, *, last_share: float
    ) -> None:
        """Learn the parameters of each module of `rates` that need gradients, at its rate."""
        self._stage = stage
        self._recent_loss = math.nan
        self._progress = progress
        self._last_share = last_share
        self._optimizer = torch.optim.AdamW(
            [group for module, rate in rates.items() for group in _groups(module, rate)], betas=(0.9, 0.98), fused=True
        )
        self._parameters = [p for group in self._optimizer.param_groups for p in group["params"]]

    def learn(self, loss: torch.Tensor) -> None:
        """Take one step down `loss`; gradients are clipped to norm 1."""
        for group in self._optimizer.param_groups:
            group["lr"] = group["full_rate"] * self._share_of_rate()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._progress.steps += 1
        self._report(loss.item())

    def _report(self, loss: float) -> None:
        self._recent_loss = loss if math.isnan(self._recent_loss) else 0.98 * self._recent_loss + 0.02 * loss
        if self._progress.steps % _REPORTED_STEPS == 0:
            done, elapsed_s = self._progress.share, self._progress.elapsed_s
            so_far = f"{done:.0%} in {elapsed_s:.0f} s, step {self._progress.steps}"
            print(f"{self._stage}: {so_far}, loss {self._recent_loss:.3f}", flush=True)

    def _share_of_rate(self) -> float:
        warm = min(1.0, (self._progress.steps + 1) / _WARM_UP_STEPS)
        fall = 0.5 * (1 + math.cos(math.pi * self._progress.share))
        return warm * (self._last_share + (1 - self._last_share) * fall)


def _groups(module: torch.nn.Module, rate: float) -> Iterator[dict[str, Any]]:
    """Part a module's parameters into matrices, whose weights decay, and the others."""
    learned = [p for p in module.parameters() if p.requires_grad]
    for parameters, decay in (([p for p in learned if p.ndim > 1], 0.05), ([p for p in learned if p.ndim <= 1], 0.0)):
        yield {"params": parameters, "weight_decay": decay, "full_rate": rate}
