"""Run texts through a model pass by pass, in smaller passes if the device has too little memory."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import torch
from torch._dynamo.exc import FailOnRecompileLimitHit

from moderator.errors import ConfigurationError
from moderator.observability.logging import get_logger
from moderator.scoring.adaptive_limit import AdaptiveLimit
from moderator.scoring.model import RewardModel
from moderator.scoring.packing import Text, filled
from moderator.scoring.pass_plan import Guests, PassPlan, PlannedPass
from moderator.scoring.runtime.budget import TokenBudget
from moderator.scoring.runtime.device import Rows, pack_tokens
from moderator.scoring.runtime.passes import to_device
from moderator.scoring.runtime.threads import ThreadChoice
from moderator.scoring.runtime.usage import DeviceUsage

log = get_logger(__name__)

DEVICE_FAILURES: Final = (RuntimeError, FailOnRecompileLimitHit)
_UNREAD_PASSES: Final = 2
"""On CUDA: so that the device computes one while the other is read, and nobody waits for more than these."""


class FallibleGuests(Guests, Protocol):
    """Interactive texts, any of which may trigger a fault of ours."""

    def fail(self, text: Text, error: Exception) -> None:
        """Take note that this text, alone in its pass, raised."""
        ...


class Launched(NamedTuple):
    """A pass that was started.

    Attributes:
        planned: what it computes.
        rows: on their way from the device, as `RewardModel.forward` gives them; None for a text that is too large even
            alone.
        since_s: when it was started, monotonic.
        device_since_s: likewise, by the device's clock.
    """

    planned: PlannedPass
    rows: Rows | None
    since_s: float
    device_since_s: float


class PackRunner:
    """Runs texts through one model. One thread owns it.

    Attributes:
        layout: how texts are put into a pass.
        budget: most tokens of a pass.
        usage: what the device has done since `reset_usage`.
    """

    def __init__(
        self,
        model: RewardModel,
        budget_tokens: int | None,
        *,
        is_deterministic: bool,
        stream_pass_s: float = 0.0,
        threads: ThreadChoice | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a loaded model.

        Args:
            model: compiled already, if it should be.
            budget_tokens: of a pass; None: the device's default.
            is_deterministic: fill every pass up to one size and share no prefixes, so that a text's scores do not
                depend on what is scored with it.
            stream_pass_s: how long a pass of the stream may take while interactive texts come in; 0: as long as any.
            threads: how many threads of a CPU a pass has; None: as many as torch uses. Not asked where scores are
                deterministic: sums may differ with the number.
            monotonic_s: the clock.

        Raises:
            ConfigurationError: deterministic scores are not possible, because texts are padded on this device.
        """
        if is_deterministic and model.layout.is_padded:
            raise ConfigurationError(
                f"`deterministic` needs a device and a model that pack texts; `{model.device}` pads"
            )
        self.layout = model.layout._replace(shares_prefixes=False) if is_deterministic else model.layout
        self.budget = TokenBudget(budget_tokens or pack_tokens(model.device))
        self._model = model
        self._is_deterministic = is_deterministic
        self._threads = None if is_deterministic else threads
        self._most_unread = _UNREAD_PASSES if model.device.type == "cuda" else 1
        self._monotonic_s = monotonic_s
        # on a CPU, what other threads and processes take is no reason for shorter passes: these would wait as well
        self._device_s = time.thread_time if model.device.type == "cpu" else monotonic_s
        self._read_at_s = self._device_read_at_s = 0.0
        most = self.budget.tokens
        is_limited = stream_pass_s and not is_deterministic
        self._pace = AdaptiveLimit(most, target_s=stream_pass_s, first_tokens=most) if is_limited else None
        self.reset_usage()

    def reset_usage(self) -> None:
        """Count from zero: what warms the model up is nobody's text."""
        self.usage = DeviceUsage(self._model.device, self.budget.tokens)

    def run(self, texts: Sequence[Text], guests: FallibleGuests | None = None) -> Iterator[Launched]:
        """Start pass after pass; if memory is too small, try again with half of it.

        At most two passes are started and not yet read, so that a text that comes now waits for no more than these:
        read each as it is given, and call `observe` then.

        Args:
            texts: the stream's.
            guests: interactive texts, asked before each pass.

        Raises:
            RuntimeError: the device failed.
        """
        plan = PassPlan(texts, guests, is_padded=self.layout.is_padded)
        short_tokens = None if self._pace is None else self._short_tokens
        unread: deque[Launched] = deque()
        while planned := plan.next(self.budget.tokens, short_tokens):
            try:
                launched = self._launch(plan, planned, guests)
            except Exception:
                yield from unread  # somebody may wait for these
                raise
            if launched is not None:
                unread.append(launched)
            if len(unread) == self._most_unread:
                yield unread.popleft()
        yield from unread

    def observe(self, launched: Launched) -> float:
        """Learn from a pass that was read; give the seconds that it kept the device busy."""
        now_s, device_now_s = self._monotonic_s(), self._device_s()
        seconds = now_s - max(launched.since_s, self._read_at_s)
        device_seconds = device_now_s - max(launched.device_since_s, self._device_read_at_s)
        self._read_at_s, self._device_read_at_s = now_s, device_now_s
        if self._threads is not None and launched.rows is not None and not launched.planned.is_awaited:
            self._threads.observe(launched.planned.tokens, seconds, device_seconds)
        if self._pace is not None and launched.planned.own_tokens and launched.rows is not None:
            self._pace.observe(launched.planned.tokens, device_seconds)
        return seconds

    def run_pack(self, pack: Sequence[Text]) -> torch.Tensor | None:
        """Start one pass; None if the device has too little memory for it."""
        # the caller frees memory: within the except block the traceback still references the pass's tensors
        try:
            rows = self._filled_up(pack) if self._is_deterministic else self._model.forward(pack)
        except torch.OutOfMemoryError:
            return None
        self.usage.texts += len(pack)
        self.usage.tokens += sum(len(text.token_ids) for text in pack)
        return rows

    def _short_tokens(self) -> int:
        assert self._pace is not None
        return self._pace.tokens

    def _launch(self, plan: PassPlan, planned: PlannedPass, guests: FallibleGuests | None) -> Launched | None:
        """Start a pass; None where its texts are planned once more."""
        if self._threads is not None:
            torch.set_num_threads(1 if planned.is_awaited else self._threads.threads(planned.tokens))
        since_s, device_since_s = self._monotonic_s(), self._device_s()
        try:
            rows = self.run_pack(planned.texts)
        except DEVICE_FAILURES:
            raise
        except Exception as error:
            if guests is None or not planned.guests:
                raise
            self._find_fault(plan, planned, guests, error)
            return None
        if rows is not None:
            self.budget.count_fit()
            self.usage.pack_tokens = self.budget.tokens
            return Launched(planned, Rows(rows), since_s, device_since_s)
        if self._make_room(planned.texts):
            plan.put_back(planned)
            return None
        return Launched(planned, None, since_s, device_since_s)

    def _find_fault(self, plan: PassPlan, planned: PlannedPass, guests: FallibleGuests, error: Exception) -> None:
        """A fault of ours must not reach texts that share a pass with the one that triggers it."""
        if len(planned.texts) == 1 and not planned.own_texts:
            guests.fail(planned.guests[0], error)
        else:
            plan.isolate(planned)

    def _filled_up(self, pack: Sequence[Text]) -> torch.Tensor:
        """Run a pass of the fixed size; equal prompts share a read-out, so that many of them do not enlarge it."""
        unique = [text._replace(reads=text.reads[:1]) for text in pack]
        once = self._model.forward(filled(unique, self.budget.tokens, self._model.renderer.max_tokens))
        return once[to_device([at for at, text in enumerate(pack) for _ in text.reads], self._model.device)]

    def _make_room(self, pack: Sequence[Text]) -> bool:
        """Free memory and lower the budget; false if neither helps, because the pass was only one text."""
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()
        tokens = sum(len(text.token_ids) for text in pack)
        taken = max(tokens, self.budget.tokens) if self._is_deterministic else tokens
        is_halved = len(pack) > 1 or taken > tokens
        if is_halved:
            self.budget.halve(taken)
            self.usage.packs_halved += 1
            self.usage.pack_tokens = self.budget.tokens
        log.warning("pack_out_of_memory", tokens=taken, texts=len(pack), budget_tokens=self.budget.tokens)
        return is_halved
