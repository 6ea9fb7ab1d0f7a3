"""The progress of a stage, and the learning rate that follows from it."""

import math
import time
from dataclasses import dataclass, field

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
    """AdamW with a short warm-up and a cosine decay from one rate to another; prints its progress."""

    def __init__(
        self, stage: str, module: torch.nn.Module, progress: Progress, *, rate: float, last_rate: float
    ) -> None:
        self._stage = stage
        self._recent_loss = math.nan
        self._module = module
        self._progress = progress
        self._rate = rate
        self._last_rate = last_rate
        decayed = [p for p in module.parameters() if p.ndim > 1]
        plain = [p for p in module.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))

    def learn(self, loss: torch.Tensor) -> None:
        """Take one step down `loss`; gradients are clipped to norm 1."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._current_rate()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._module.parameters(), 1.0)
        self._optimizer.step()
        self._progress.steps += 1
        self._report(loss.item())

    def _report(self, loss: float) -> None:
        self._recent_loss = loss if math.isnan(self._recent_loss) else 0.98 * self._recent_loss + 0.02 * loss
        if self._progress.steps % _REPORTED_STEPS == 0:
            done, elapsed_s = self._progress.share, self._progress.elapsed_s
            so_far = f"{done:.0%} in {elapsed_s:.0f} s, step {self._progress.steps}"
            print(f"{self._stage}: {so_far}, loss {self._recent_loss:.3f}", flush=True)

    def _current_rate(self) -> float:
        warm = min(1.0, (self._progress.steps + 1) / _WARM_UP_STEPS)
        fall = 0.5 * (1 + math.cos(math.pi * self._progress.share))
        return warm * (self._last_rate + (self._rate - self._last_rate) * fall)
