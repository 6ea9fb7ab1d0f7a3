"""The scorer of the pipeline: frames, renders, packs and scores with one ArmoRM model, whatever the device does."""

import hashlib
from array import array
from collections.abc import Sequence
from typing import Final

import torch
from transformers.utils import logging as transformers_logging

from moderator.errors import ConfigurationError, ScorerUnavailableError
from moderator.events import ModelIdentity, Prompt, Scores, Turn, Unscored
from moderator.observability.logging import get_logger
from moderator.scoring.armorm import ArmoRM, ArmoRMOutput
from moderator.scoring.device import pack_tokens
from moderator.scoring.framing import FRAMING, frame
from moderator.scoring.packing import plan_packs
from moderator.settings import ModelSettings

_PROBE_TOKENS: Final = 16
_LARGE_PARAMETERS: Final = 1_000_000_000

log = get_logger(__name__)


def load_scorer(settings: ModelSettings) -> "Engine":
    """Load the model that the settings name; `warm_up` is left to the caller.

    Raises:
        ConfigurationError: no model is named, or it cannot be used; the text names file and key.
    """
    if settings.path is None:
        raise ConfigurationError("no model is named: set `MODERATOR_MODEL__PATH` or give `--model`")
    # its own handler writes prose; ours writes JSON
    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()
    armorm = ArmoRM.from_pretrained(
        settings.path, dtype=settings.dtype, device=settings.device, max_input_tokens=settings.max_input_tokens
    )
    parameters = sum(parameter.numel() for parameter in armorm.model.parameters())
    if armorm.device.type == "cpu" and parameters > _LARGE_PARAMETERS:
        log.warning("large_model_on_cpu", parameters=parameters, hint="seconds per event; use a GPU")
    return Engine(armorm)


class Engine:
    """Scores prompts in packs. One thread owns it."""

    def __init__(self, armorm: ArmoRM) -> None:
        """Take a loaded model."""
        self._armorm = armorm
        self._pack_tokens = pack_tokens(armorm.device)
        self._identity = ModelIdentity(
            name=armorm.name,
            fingerprint=armorm.fingerprint,
            dtype=str(armorm.dtype).removeprefix("torch."),
            objectives=armorm.config.objectives,
            framing=FRAMING,
            max_input_tokens=armorm.renderer.max_tokens,
            is_practice=armorm.is_builtin,
        )
        self._key = _key(self._identity)

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self._identity

    def warm_up(self) -> None:
        """Run the packs that need most, so that what cannot work stops start-up: many texts, the longest, one token.

        On CPU only the last, as nothing is allocated or compiled ahead there.

        Raises:
            ConfigurationError: the device has too little memory, or the model gives no finite score.
            ScorerUnavailableError: the device failed.
        """
        packs = [[1]]
        if self._armorm.device.type != "cpu":
            packs = [[_PROBE_TOKENS] * (self._pack_tokens // _PROBE_TOKENS), [self._identity.max_input_tokens], [1]]
        for lengths in packs:
            for result in self.score([Prompt([0] * length, 0, truncated=False, score_key="") for length in lengths]):
                if isinstance(result, Unscored):
                    raise ConfigurationError(f"model `{self._identity.name}` cannot be used: {result.error}")

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Prompt]:
        """Frame, truncate and tokenize each conversation, in the order given; never fails on content."""
        renderings = self._armorm.renderer.render([frame(conversation) for conversation in conversations])
        return [
            Prompt(rendering.token_ids, rendering.gate_row, rendering.truncated, self._score_key(rendering.token_ids))
            for rendering in renderings
        ]

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Unscored]:
        """Score each prompt, in the order given; n >= 0.

        Raises:
            ScorerUnavailableError: the device failed; nothing was scored.
        """
        packs = plan_packs([len(prompt.token_ids) for prompt in prompts], self._pack_tokens)
        try:
            # every pack is launched before the first is read, so an accelerator never waits for us
            launched = [part for pack in packs for part in self._launch(prompts[pack.start : pack.stop])]
            return [result for pack, output in launched for result in self._read(pack, output)]
        except RuntimeError as error:
            raise ScorerUnavailableError(f"device `{self._armorm.device}` failed: {_first_line(error)}") from error

    def _launch(self, pack: Sequence[Prompt]) -> list[tuple[Sequence[Prompt], ArmoRMOutput | None]]:
        """Score a pack, in halves where memory is short; None for a text that alone is too much."""
        output = self._attempt(pack)
        if output is not None:
            return [(pack, output)]
        if self._armorm.device.type == "cuda":
            torch.cuda.empty_cache()
        tokens = sum(len(prompt.token_ids) for prompt in pack)
        log.warning("pack_out_of_memory", tokens=tokens, texts=len(pack))
        if len(pack) == 1:
            return [(pack, None)]
        self._pack_tokens = min(self._pack_tokens, max(1, tokens // 2))
        middle = len(pack) // 2
        return self._launch(pack[:middle]) + self._launch(pack[middle:])

    def _attempt(self, pack: Sequence[Prompt]) -> ArmoRMOutput | None:
        # the caller frees memory: within the except block the traceback still holds the pass's tensors
        try:
            return self._armorm.score_pack(pack)
        except torch.OutOfMemoryError:
            return None

    def _read(self, pack: Sequence[Prompt], output: ArmoRMOutput | None) -> list[Scores | Unscored]:
        """Wait for a pack's scores; a text that was not finite among others is scored once more, alone."""
        is_shared = len(pack) > 1
        return [
            self._alone(prompt) if is_shared and isinstance(result, Unscored) else result
            for prompt, result in zip(pack, _results(pack, output), strict=True)
        ]

    def _alone(self, prompt: Prompt) -> Scores | Unscored:
        return _results([prompt], self._attempt([prompt]))[0]

    def _score_key(self, token_ids: Sequence[int]) -> str:
        key = self._key.copy()
        key.update(array("I", token_ids).tobytes())
        return key.hexdigest()


def _results(pack: Sequence[Prompt], output: ArmoRMOutput | None) -> list[Scores | Unscored]:
    if output is None:
        tokens = sum(len(prompt.token_ids) for prompt in pack)
        return [Unscored(f"the device has too little memory for {tokens} tokens")] * len(pack)
    values = torch.cat((output.rewards, output.weights), dim=1).cpu()  # (n, 2k), one transfer
    k = output.rewards.shape[1]
    return [
        Scores(tuple(row[:k]), tuple(row[k:]), prompt.truncated)
        if is_finite
        else Unscored("the model's scores are not finite")
        for prompt, row, is_finite in zip(pack, values.tolist(), values.isfinite().all(dim=1).tolist(), strict=True)
    ]


def _key(identity: ModelIdentity) -> "hashlib._Hash":
    parts = (identity.fingerprint, identity.dtype, str(identity.max_input_tokens), identity.framing, "")
    return hashlib.sha256("\n".join(parts).encode())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
