"""Run texts through a model pack by pack, in smaller packs if the device has too little memory."""

from collections.abc import Sequence

import torch

from moderator.errors import ConfigurationError
from moderator.observability.logging import get_logger
from moderator.scoring.model import RewardModel
from moderator.scoring.packing import Text, filled, next_pack
from moderator.scoring.runtime.budget import TokenBudget
from moderator.scoring.runtime.device import pack_tokens
from moderator.scoring.runtime.passes import to_device
from moderator.scoring.runtime.usage import DeviceUsage

log = get_logger(__name__)


class PackRunner:
    """Runs texts through one model. One thread owns it.

    Attributes:
        layout: how texts are put into a pass.
        budget: most tokens of a pack.
        usage: what the device has done since `reset_usage`.
    """

    def __init__(self, model: RewardModel, budget_tokens: int | None, *, is_deterministic: bool) -> None:
        """Take a loaded model.

        Args:
            model: compiled already, if it should be.
            budget_tokens: of a pack; None: the device's default.
            is_deterministic: fill every pass up to one size and share no prefixes, so that a text's scores do not
                depend on what is scored with it.

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
        self.reset_usage()

    def reset_usage(self) -> None:
        """Count from zero: what warms the model up is nobody's text."""
        self.usage = DeviceUsage(self._model.device, self.budget.tokens)

    def run(self, texts: Sequence[Text]) -> list[tuple[Sequence[Text], torch.Tensor | None]]:
        """Start a pass for each pack; if memory is too small, try again with half of it.

        Returns:
            Each pack with its rows, as `RewardModel.forward` returns them; None for a text that is too large even
            alone.

        Raises:
            RuntimeError: the device failed.
        """
        lengths = [len(text.token_ids) for text in texts]
        launched: list[tuple[Sequence[Text], torch.Tensor | None]] = []
        start = 0
        while start < len(texts):
            span = next_pack(lengths, start, self.budget.tokens, is_padded=self.layout.is_padded)
            pack = texts[span.start : span.stop]
            rows = self.run_pack(pack)
            if rows is not None:
                self.budget.count_fit()
                self.usage.pack_tokens = self.budget.tokens
            elif self._make_room(pack):
                continue
            launched.append((pack, rows))
            start = span.stop
        return launched

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
