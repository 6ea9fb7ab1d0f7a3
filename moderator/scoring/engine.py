"""The scorer of the pipeline: renders conversations and scores them with one model."""

import hashlib
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

import torch
from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

from moderator.errors import ConfigurationError, ScorerUnavailableError
from moderator.events import EventReading, ModelIdentity, Passage, Prompt, Scores, Turn, Unscored
from moderator.objectives import ModelOutputs
from moderator.observability.logging import get_logger
from moderator.scoring.checkpoint.weights import Weights
from moderator.scoring.interactive import InteractiveTexts
from moderator.scoring.model import RewardModel
from moderator.scoring.opening import OpenModel, open_model
from moderator.scoring.packing import Layout, Text, gather
from moderator.scoring.probed import refuse_questions, with_hidden_state
from moderator.scoring.questions import Texts
from moderator.scoring.rendering.event_reader import WHOLE, EventReader, ReadingLimits
from moderator.scoring.rendering.framing_record import framing_suffix
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.runtime.device import Rows, choose_device, choose_threads, on
from moderator.scoring.runtime.noise import measure_noise
from moderator.scoring.runtime.pack_runner import DEVICE_FAILURES, Launched, PackRunner
from moderator.scoring.runtime.threads import ThreadChoice
from moderator.scoring.runtime.usage import DeviceUsage
from moderator.scoring.self_check import check as self_check
from moderator.scoring.throughput import parameter_count, refuse_slow
from moderator.settings import ModelSettings, ReadingSettings

_SKIP_ALL: Final = ReadingSettings()
_PROBE_TOKENS: Final = 16
_NOT_COMPILED: Final = (TorchDynamoException, FailOnRecompileLimitHit)

log = get_logger(__name__)


def load_scorer(settings: ModelSettings, reading: ReadingSettings = _SKIP_ALL, *, stream_pass_ms: int = 0) -> "Engine":
    """Load the model that the settings name; the caller calls `warm_up`.

    Args:
        settings: of the model.
        reading: what of a message is judged besides its text; recorded with the framing.
        stream_pass_ms: how long a pass of the stream may take while interactive texts come in; 0: as long as any.

    Raises:
        ConfigurationError: no model is named, or it cannot be used; the text names file and key.
    """
    opened = _open(settings)
    device = choose_device(settings.device)
    threads = _choose_threads(opened, device)
    return _engine(opened, _load(opened, device, settings), threads, settings, reading, stream_pass_ms=stream_pass_ms)


def load_hidden_reader(settings: ModelSettings, reading: ReadingSettings = _SKIP_ALL) -> tuple["Engine", int]:
    """Load the model that the settings name, with the hidden state that its head reads as further objectives.

    Returns:
        The scorer, and the number of the model's own objectives, which come first.

    Raises:
        ConfigurationError: as `load_scorer`.
    """
    opened = _open(settings)
    refuse_questions(opened.renderer.questions, str(settings.path))
    device = choose_device(settings.device)
    threads = _choose_threads(opened, device)
    model = _load(opened, device, settings)
    widened = with_hidden_state(model, opened.backbone.hidden_size)
    return _engine(opened, widened, threads, settings, reading), len(model.objectives)


def _choose_threads(opened: OpenModel, device: torch.device) -> ThreadChoice | None:
    """Choose the threads of a small network's passes, before its weights are read by one."""
    weights = parameter_count(opened)
    most = choose_threads(device, weights)
    return ThreadChoice(most, weights) if most > 1 else None


def _load(opened: OpenModel, device: torch.device, settings: ModelSettings) -> RewardModel:
    """Read the weights, and check what was loaded."""
    opened.limits(settings)  # refuses wrong ones before the weights are read
    weights = opened.check_weights()
    if not settings.force_cpu:
        refuse_slow(opened, device, settings.dtype, weights.dtype)
    log.info("model_loading", path=settings.path, bytes=_size_bytes(weights))
    loaded = opened.load(settings.dtype, device)
    if settings.check:
        self_check.check_model(opened, loaded)
    else:
        log.warning("model_not_checked", hint="it may score otherwise than transformers: `MODERATOR_MODEL__CHECK=true`")
    if settings.compile and device.type == "cuda":
        loaded.compile()
    return loaded


def _engine(
    opened: OpenModel,
    model: RewardModel,
    threads: ThreadChoice | None,
    settings: ModelSettings,
    reading: ReadingSettings,
    *,
    stream_pass_ms: int = 0,
) -> "Engine":
    return Engine(
        model,
        settings.pack_tokens,
        opened.limits(settings),
        framing_suffix(settings, reading),
        is_deterministic=settings.deterministic,
        stream_pass_s=stream_pass_ms / 1_000,
        threads=threads,
    )


def check_model(settings: ModelSettings) -> tuple[ModelOutputs, int]:
    """Check a checkpoint's files; give what it scores, and the bytes of its weights.

    No weights are read, but for a probe: its backbone's files are hashed, to see that it fits.

    Raises:
        ConfigurationError: as `load_scorer`.
    """
    model = _open(settings)
    weights = model.check_weights()
    if model.probe is not None:
        model.fingerprint(weights)
    return _outputs(model), _size_bytes(weights)


def read_outputs(settings: ModelSettings) -> ModelOutputs:
    """Give what a checkpoint scores, after a look at the headers of its weights.

    Raises:
        ConfigurationError: as `load_scorer`.
    """
    model = _open(settings)
    model.check_weights()
    return _outputs(model)


def check_device(settings: ModelSettings) -> str:
    """Check that the device exists and is not too slow for the model; give its name.

    Raises:
        ConfigurationError: as `load_scorer`.
    """
    model, device = _open(settings), choose_device(settings.device)
    if not settings.force_cpu:
        refuse_slow(model, device, settings.dtype, model.check_weights().dtype)
    return f"`{device}`"


def _open(settings: ModelSettings) -> OpenModel:
    if settings.path is None:
        raise ConfigurationError("no model is named: set `MODERATOR_MODEL__PATH` or give `--model`")
    return open_model(settings.path, settings)


def _outputs(model: OpenModel) -> ModelOutputs:
    return ModelOutputs(model.location.name, model.objectives, model.scale)


def _size_bytes(weights: Weights) -> int:
    return sum(file.stat().st_size for file in weights.files)


class Engine:
    """Scores prompts in packs. One thread owns it."""

    def __init__(
        self,
        model: RewardModel,
        budget_tokens: int | None = None,
        limits: ReadingLimits = WHOLE,
        framing_suffix: str = "",
        *,
        is_deterministic: bool = False,
        stream_pass_s: float = 0.0,
        threads: ThreadChoice | None = None,
    ) -> None:
        """Take a loaded model.

        Args:
            model: used by this engine only from now on; compiled already, if it should be.
            budget_tokens: of a pack; None: the device's default.
            limits: how much of an event is read at once.
            framing_suffix: what the operator set of how events are read, for the record.
            is_deterministic: give a text the same scores, bit by bit, regardless of what is scored with it.
            stream_pass_s: how long a pass of the stream may take while interactive texts come in; 0: as long as any.
            threads: how many threads of a CPU a pass has; None: as many as torch uses.

        Raises:
            ConfigurationError: deterministic scores are not possible, because texts are padded on this device.
        """
        self._model = model
        self._limits = limits
        self._reader = EventReader(model.renderer, limits)
        self._runner = PackRunner(
            model, budget_tokens, is_deterministic=is_deterministic, stream_pass_s=stream_pass_s, threads=threads
        )
        self._identity = ModelIdentity(
            name=model.name,
            fingerprint=model.fingerprint,
            dtype=str(model.dtype).removeprefix("torch."),
            objectives=model.objectives,
            framing=model.renderer.framing + framing_suffix,
            max_input_tokens=model.renderer.max_tokens,
            max_passages=limits.max_passages,
            passage_tokens=limits.passage_tokens,
            is_practice=model.is_builtin,
            scale=model.scale,
            questions=model.renderer.questions,
        )
        modes = {"deterministic": is_deterministic, "compiled": model.is_compiled}
        self._key = _key(self._identity, model.renderer.framing, [mode for mode, is_on in modes.items() if is_on])

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        return self._identity

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self._model.device)

    @property
    def usage(self) -> DeviceUsage:
        """What the device has done since `warm_up`."""
        return self._runner.usage

    def warm_up(self) -> None:
        """Run the most demanding packs at start-up, so that errors stop it: many texts, the longest one, one token.

        Raises:
            ConfigurationError: the layers cannot be compiled here, the device has too little memory, or the model gives
                no finite score.
            ScorerUnavailableError: the device failed.
        """
        many = [_PROBE_TOKENS] * (self._runner.budget.tokens // _PROBE_TOKENS)
        try:
            for lengths in (many, [self._identity.max_input_tokens], [1]):
                self._rewards([_probe(length, at) for at, length in enumerate(lengths)])
        except ScorerUnavailableError as error:
            if isinstance(error.__cause__, _NOT_COMPILED):
                raise ConfigurationError(_not_compiled(self._model, error.__cause__)) from error
            raise
        self._runner.reset_usage()

    def read_turns_before(self, turns: int | None) -> None:
        """Read so many turns before the judged one from now on, None: all; for measuring how much they matter."""
        limits = replace(self._limits, message_turns=turns, reply_turns=turns)
        self._reader = EventReader(self._model.renderer, limits)

    def measure_noise(self) -> tuple[float, ...]:
        """Measure how much a text's k rewards depend on what is scored with it; takes some seconds.

        Returns:
            For each objective, the difference from the reward alone that is not exceeded 999 times in 1,000, on this
            device and in this precision.

        Raises:
            ConfigurationError, ScorerUnavailableError: as `warm_up`.
        """
        return measure_noise(self._first_prompts, self._rewards, self._runner.budget.tokens)

    def read(self, conversations: Sequence[Sequence[Turn]]) -> list[EventReading]:
        """Frame, divide and tokenize each event's conversation, in the order given; never fails on content."""
        return [
            EventReading(
                tuple(Passage(self._prompt(each.rendering), each.start, each.end) for each in event.passages),
                event.cut,
                event.removed,
            )
            for event in self._reader.read(conversations)
        ]

    def score(self, prompts: Sequence[Prompt], interactive: InteractiveTexts | None = None) -> list[Scores | Unscored]:
        """Score each prompt, in the order given; n >= 0; interactive texts share the passes, and go first.

        Raises:
            ScorerUnavailableError: the device failed; nothing was scored.
        """
        own = Texts()
        own.add(prompts)
        guests = None if interactive is None else _Guests(interactive, self._runner.layout, len(own.prompts))
        results: dict[int, Scores | Unscored] = {}
        started_s = time.monotonic()
        try:
            with on(self._model.device):
                for launched in self._runner.run(gather(own.prompts, self._runner.layout), guests):
                    known = own.prompts if guests is None else guests.beside(own.prompts)
                    scores = dict(self._read(known, launched.planned.texts, launched.rows))
                    seconds = self._runner.observe(launched)
                    if guests is not None and launched.planned.guests:
                        guests.give(launched, scores, seconds)
                    results.update(own.give({at: each for at, each in scores.items() if at < len(own.prompts)}))
        except DEVICE_FAILURES as error:
            raise ScorerUnavailableError(f"device `{self._model.device}` failed: {_first_line(error)}") from error
        finally:
            self.usage.busy_s += time.monotonic() - started_s
        return [results[at] for at in range(len(prompts))]

    def _rewards(self, probes: Sequence[Prompt]) -> list[tuple[float, ...]]:
        """Score prompts that must get scores; otherwise the model cannot be used."""
        results = self.score(probes)
        unscored = next((result for result in results if isinstance(result, Unscored)), None)
        if unscored is not None:
            raise ConfigurationError(f"model `{self._identity.name}` cannot be used: {unscored.error}")
        return [result.rewards for result in results if isinstance(result, Scores)]

    def _read(
        self, prompts: "Sequence[Prompt] | _Beside", pack: Sequence[Text], rows: Rows | None
    ) -> Iterator[tuple[int, Scores | Unscored]]:
        """Wait for a pack's scores; a text whose scores are not finite is scored once more, alone."""
        reads = [read.prompt for text in pack for read in text.reads]
        # the row where a prompt ends: equal prompts share a text, so they end in the same row
        ends = [(at, read.last_row) for at, text in enumerate(pack) for read in text.reads]
        has_others = len(set(ends)) > 1
        again: dict[tuple[int, int], Scores | Unscored] = {}
        for at, end, result in zip(reads, ends, _results([prompts[at] for at in reads], rows), strict=True):
            if has_others and isinstance(result, Unscored) and end not in again:
                again[end] = self._alone(prompts[at])
            one = again.get(end, result)
            yield at, one._replace(truncated=prompts[at].truncated) if isinstance(one, Scores) else one

    def _alone(self, prompt: Prompt) -> Scores | Unscored:
        rows = self._runner.run_pack(gather([prompt], self._runner.layout))
        return _results([prompt], None if rows is None else Rows(rows))[0]

    def _first_prompts(self, conversations: Sequence[Sequence[Turn]]) -> list[Prompt]:
        return [reading.passages[0].prompt for reading in self.read(conversations)]

    def _prompt(self, rendering: Rendering) -> Prompt:
        texts = (rendering.token_ids, *rendering.others)
        token_ids = rendering.token_ids if len(texts) == 1 else tuple(chain.from_iterable(texts))
        lengths = () if len(texts) == 1 else tuple(map(len, texts))
        key = self._score_key(token_ids, lengths)
        return Prompt(token_ids, rendering.gate_row, rendering.cut != "nothing", key, lengths)

    def _score_key(self, token_ids: Sequence[int], lengths: Sequence[int]) -> str:
        key = self._key.copy()
        key.update(array("I", [*token_ids, *lengths] if lengths else token_ids).tobytes())
        return key.hexdigest()


class _Beside:
    """The prompts of a call by index: the stream's, then those of its interactive texts."""

    def __init__(self, own: Sequence[Prompt], others: Sequence[Prompt]) -> None:
        self._own, self._others = own, others

    def __getitem__(self, at: int) -> Prompt:
        """Give a prompt."""
        return self._own[at] if at < len(self._own) else self._others[at - len(self._own)]


class _Guests:
    """The interactive texts of one call, as passes take them."""

    def __init__(self, interactive: InteractiveTexts, layout: Layout, own_prompts: int) -> None:
        self._interactive = interactive
        self._layout = layout
        self._own_prompts = own_prompts
        self._texts = Texts()
        self._keys: list[str] = []
        self._failed: set[str] = set()

    @property
    def came_lately(self) -> bool:
        return self._interactive.came_lately

    def take(self, most_tokens: int) -> list[Text]:
        prompts = self._interactive.take(most_tokens)
        if not prompts:
            return []
        self._keys += [prompt.score_key for prompt in prompts]
        first = self._own_prompts + len(self._texts.prompts)
        texts = gather(self._texts.add(prompts), self._layout)
        return [
            text._replace(reads=tuple(read._replace(prompt=read.prompt + first) for read in text.reads))
            for text in texts
        ]

    def beside(self, own: Sequence[Prompt]) -> _Beside:
        return _Beside(own, self._texts.prompts)

    def give(self, launched: Launched, scores: Mapping[int, Scores | Unscored], seconds: float) -> None:
        """Pass on what a pass gave, and the share of its time that was theirs."""
        planned = launched.planned
        own = self._own_prompts
        complete = self._texts.give({at - own: score for at, score in scores.items() if at >= own})
        found = {self._keys[at]: score for at, score in complete if self._keys[at] not in self._failed}
        self._interactive.give(found, seconds * (1 - planned.own_tokens / planned.tokens))

    def fail(self, text: Text, error: Exception) -> None:
        """One question that fails is the end of its prompt."""
        keys = dict.fromkeys(self._texts.prompts[read.prompt - self._own_prompts].score_key for read in text.reads)
        for key in keys:
            if key not in self._failed:
                self._failed.add(key)
                self._interactive.fail(key, error)


def _not_compiled(model: RewardModel, error: Exception) -> str:
    reason = _first_line(getattr(error, "inner_exception", error))
    return (
        f"model `{model.name}` cannot be compiled for `{model.device}`: {reason}; install what is missing, such as a C "
        "compiler, or turn compiling off: `--no-compile`, or `MODERATOR_MODEL__COMPILE=false`"
    )


def _probe(length: int, number: int) -> Prompt:
    """Make a different prompt for each number, so that they do not share a text; every vocabulary has small ids."""
    token_ids = [*[0] * (length - 2), *divmod(number, 100)][-length:]
    return Prompt(token_ids, 0, truncated=False, score_key="")


def _results(prompts: Sequence[Prompt], rows: Rows | None) -> list[Scores | Unscored]:
    if rows is None:
        return [Unscored(f"the device has too little memory for {len(prompt.token_ids)} tokens") for prompt in prompts]
    values = rows.read()  # (n, 2k), one transfer
    k = values.shape[1] // 2
    return [
        Scores(tuple(row[:k]), tuple(row[k:]), prompt.truncated)
        if is_finite
        else Unscored("the model's scores are not finite")
        for prompt, row, is_finite in zip(prompts, values.tolist(), values.isfinite().all(dim=1).tolist(), strict=True)
    ]


def _key(identity: ModelIdentity, framing: str, modes: Sequence[str]) -> "hashlib._Hash":
    """Begin a score key. Each mode has its own keys, so that a cache never mixes their scores.

    What the operator set of how events are read is not part of it: equal ids have equal scores.

    Deterministic scores must not depend on neighbours, as others may, and compiled layers round differently.
    """
    parts = [identity.fingerprint, identity.dtype, str(identity.max_input_tokens), framing, identity.scale]
    return hashlib.sha256("\n".join([*parts, *modes, ""]).encode())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
