"""Describe a checkpoint without loading it, with an estimate of its speed on this machine."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from moderator.counted import counted
from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.scoring.opening import open_model
from moderator.scoring.rendering.event_reader import ReadingLimits
from moderator.scoring.runtime.machine import present_devices
from moderator.scoring.throughput import EVENT_TOKENS, Throughput, estimate, is_too_slow, parameter_count, two_digits
from moderator.settings import ModelSettings

ESTIMATE: Final = (
    "an estimate, and a ceiling: tokens a second = matrix multiplication measured just now / (2 x parameters of the "
    f"linear layers + attention) of a token in a text of {EVENT_TOKENS}; expect 70 to 90 % of it, "
    "less for a model with fewer than a billion parameters"
)
_PRACTICE: Final = ", a practice model: its scores are for trying things out only"
_LONG_BYTES: Final = 1_000_000_000
_ACTIVATIONS: Final[Mapping[OutputScale, str]] = {
    "raw": "as the model gives them, unbounded",
    "sigmoid": "a probability from 0 to 1 for each (sigmoid)",
    "softmax": "probabilities from 0 to 1 that sum to 1 (softmax)",
}
_CAPPED: Final = "its logits are capped, which no fused kernel does: slower than other decoders, more so for long texts"
_FRAMINGS: Final = {
    "reply/2": "the conversation by its chat template, the judged message as the assistant's reply",
    "message/2": "the judged message's text alone",
    "verdict/1": "the conversation by the guard's own template, up to where its answer begins",
}


@dataclass(frozen=True, slots=True)
class Description:
    """A checkpoint, as `moderator model info` shows it.

    Attributes:
        backbone: folder of the model that a probe adds objectives to; None for any other model.
        is_practice: the built-in model; its scores are for trying things out only.
        scale: what the scores are; see `OutputScale`.
        framing: the rule that turns an event into what the model reads.
        parameters: numbers in the checkpoint.
        stored_bytes: of its weight files.
        max_input_tokens: longer conversations are truncated.
        limits: how much of an event is read at once, and how many turns before the judged one.
        devices: an estimate for each device of this machine.
        questions: how often a text is read.
        is_capped: the logits of attention are capped, which no fused kernel does.
        estimate: how the estimates were made.
    """

    name: str
    is_practice: bool
    folder: str
    architecture: str
    objectives: tuple[str, ...]
    scale: OutputScale
    framing: str
    fingerprint: str
    parameters: int
    dtype: str
    files: int
    stored_bytes: int
    positions: int
    max_input_tokens: int
    limits: ReadingLimits
    devices: tuple[Throughput, ...]
    questions: int = 1
    is_capped: bool = False
    backbone: str | None = None
    estimate: str = ESTIMATE

    def to_fields(self) -> dict[str, object]:
        """Return a JSON object."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the lines to print."""
        rows = {
            "model": f"{self.name}{_PRACTICE if self.is_practice else ''}",
            "folder": self.folder,
            **({} if self.backbone is None else {"backbone": self.backbone}),
            "architecture": self.architecture,
            "objectives": f"{len(self.objectives)}: {', '.join(self.objectives)}",
            "scores": _ACTIVATIONS[self.scale],
            "reads": f"{_FRAMINGS[self.framing]} ({self.framing})",
            **({} if self.questions == 1 else {"questions": f"{self.questions}, of each text; each costs a pass"}),
            "fingerprint": self.fingerprint,
            "parameters": f"{self.parameters:,}",
            "stored": f"{self.dtype}, {_size(self.stored_bytes)} in {self.files} file{'s' * (self.files > 1)}",
            "positions": f"{self.positions:,}; a text may have {self.max_input_tokens:,} tokens",
            **({"attention": _CAPPED} if self.is_capped else {}),
            "passages": _passages_line(self.limits, self.max_input_tokens),
            "context": _context_line(self.limits),
        }
        return [
            *(f"{name:<13} {value}" for name, value in rows.items()),
            *(f"{f'on {each.device}':<13} {_device_line(each, self.parameters)}" for each in self.devices),
            f"({self.estimate})",
        ]


def describe(path: str, say: Callable[[str], None], settings: ModelSettings | None = None) -> Description:
    """Open a checkpoint, check the headers of its weights, hash its files, and measure this machine.

    Args:
        path: a folder, a hub id, or `builtin`.
        say: receives a line before work that takes long.
        settings: what the checkpoint is used as; see `open_model`.

    Raises:
        ConfigurationError: it could not be loaded; the text names file and key.
    """
    model = open_model(path, settings)
    weights = model.check_weights()
    stored_bytes = sum(file.stat().st_size for file in weights.files)
    if stored_bytes > _LONG_BYTES:
        say(f"hashing {_size(stored_bytes)} of weights …")
    try:
        devices = tuple(estimate(model, device, stored=weights.dtype) for device in present_devices())
    except RuntimeError as error:
        raise ConfigurationError(f"a device could not be measured: {str(error).splitlines()[0]}") from error
    of_model = str(model.location.folder)
    return Description(
        name=model.location.name,
        is_practice=model.location.is_builtin,
        folder=of_model if model.probe is None else str(model.probe.folder),
        backbone=None if model.probe is None else of_model,
        architecture=model.architecture,
        objectives=model.objectives,
        scale=model.scale,
        framing=model.framing,
        fingerprint=model.fingerprint(weights),
        parameters=parameter_count(model),
        dtype=str(weights.dtype).removeprefix("torch."),
        files=len(weights.files),
        stored_bytes=stored_bytes,
        positions=model.positions,
        max_input_tokens=model.max_input_tokens,
        limits=model.limits(settings or ModelSettings()),
        questions=model.renderer.questions,
        is_capped=bool(getattr(model.backbone, "attn_logit_softcapping", None)),
        devices=devices,
    )


def _passages_line(limits: ReadingLimits, max_input_tokens: int) -> str:
    if limits.max_passages == 1:
        return "none: of a message that does not fit, the head and the tail are read"
    size = limits.passage_tokens or max_input_tokens
    return f"a message of more than {size:,} tokens is read in at most {limits.max_passages} passages; the worst counts"


def _context_line(limits: ReadingLimits) -> str:
    return f"{_turns(limits.message_turns)} before a message, {_turns(limits.reply_turns)} before an assistant's reply"


def _turns(count: int | None) -> str:
    if count is None:
        return "all turns"
    return counted(count, "turn") if count else "no turns"


def _device_line(expected: Throughput, parameters: int) -> str:
    refused = "; refused unless `MODERATOR_MODEL__FORCE_CPU=true`" if is_too_slow(expected.device, parameters) else ""
    return (
        f"{expected.dtype}, {_size(expected.memory_bytes)} and {_size(expected.pack_bytes)} at work: at most "
        f"{two_digits(expected.tokens_per_s)} tokens a second, {two_digits(expected.events_per_minute)} events a minute"
        f"{refused}"
    )


def _size(count_bytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count_bytes < 1000:  # noqa: PLR2004
            return f"{count_bytes:.3g} {unit}"
        count_bytes /= 1000
    return f"{count_bytes:.3g} GB"
