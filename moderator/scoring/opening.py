"""Open a checkpoint of any kind: what is known before its weights are read, and how to load them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from transformers import PretrainedConfig, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.guards.recognition import is_generator
from moderator.objectives import is_classifier, is_weighted_classifier
from moderator.probes import added_to, is_probe
from moderator.scoring.armorm.armorm import open_armorm
from moderator.scoring.checkpoint.configs.armorm import ARCHITECTURE, QUANTILE_ARCHITECTURES
from moderator.scoring.checkpoint.configs.reading_declaration import declared_limits
from moderator.scoring.checkpoint.files import CONFIG, read_config
from moderator.scoring.checkpoint.fingerprint import fingerprint, with_verdicts
from moderator.scoring.checkpoint.location import Location, locate
from moderator.scoring.checkpoint.probe_files import Probe, read_probe
from moderator.scoring.checkpoint.weights import Weights
from moderator.scoring.classifier.classifier import open_classifier
from moderator.scoring.classifier.guard import open_guard
from moderator.scoring.classifier.weighted import WeightedClassifier, open_weighted
from moderator.scoring.model import RewardModel
from moderator.scoring.probed import ProbedModel, refuse_questions, with_probe
from moderator.scoring.rendering.event_reader import ReadingLimits
from moderator.scoring.rendering.renderer import Renderer
from moderator.settings import ModelSettings

Load = Callable[[str, torch.device], RewardModel]
"""Takes the backbone's dtype, or `auto`, and the device."""


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A checkpoint whose config, tokenizer and template have been read, but not its weights.

    Attributes:
        location: its folder, and what people call it.
        architecture: as its `config.json` names it.
        backbone: transformers' config of the network under the head.
        tokenizer: with the chat template that is used, if any.
        renderer: what turns an event's conversation into what the model reads.
        objectives: k names, in the order of the scores.
        scale: what the scores are: unbounded rewards, or probabilities.
        framing: the rule that turns an event into what the model reads.
        positions: length in tokens of the longest text that the network has positions for.
        max_input_tokens: longer conversations are truncated.
        reading: how the checkpoint wants events read; settings may say otherwise.
        is_causal: no token attends to later ones.
        shapes: of every tensor, by name.
        renamed: the network's name of a tensor by the file's, where they differ.
        load: reads the weights into the network, so call it once; raises ConfigurationError as `load_weights` does.
        verdicts_digest: of the file that describes a guard's answers, hex; empty without one.
        probe: what adds objectives to the checkpoint; the location has the checkpoint's folder and the probe's name.
    """

    location: Location
    architecture: str
    backbone: PretrainedConfig
    tokenizer: PreTrainedTokenizerFast
    renderer: Renderer
    objectives: tuple[str, ...]
    scale: OutputScale
    framing: str
    positions: int
    max_input_tokens: int
    reading: ReadingLimits
    is_causal: bool
    shapes: Mapping[str, torch.Size]
    renamed: Mapping[str, str]
    load: Load
    verdicts_digest: str = ""
    probe: Probe | None = None

    def check_weights(self) -> Weights:
        """Compare the headers of the safetensors files with the network.

        Raises:
            ConfigurationError: a file or key is missing, unexpected, damaged or of the wrong shape; the text names it.
        """
        return Weights(self.location.folder, self.shapes, self.renamed)

    def fingerprint(self, weights: Weights) -> str:
        """Hash the files as loading does: `sha256:` and 64 hex digits.

        Raises:
            ConfigurationError: a probe was fitted on another backbone.
        """
        of_files = with_verdicts(fingerprint(self.location.folder, weights.files), self.verdicts_digest)
        return of_files if self.probe is None else self.probe.fingerprint_over(of_files)

    def limits(self, settings: ModelSettings) -> ReadingLimits:
        """Give how much of an event is read at once: as set, else as the checkpoint declares.

        Raises:
            ConfigurationError: a passage is longer than the input.
        """
        if settings.passage_tokens is not None and settings.passage_tokens > self.max_input_tokens:
            raise ConfigurationError(
                f"`passage_tokens` is {settings.passage_tokens}, but the input holds {self.max_input_tokens} tokens; "
                "lower it"
            )
        wanted = {
            "passage_tokens": settings.passage_tokens,
            "max_passages": settings.max_passages,
            "message_turns": settings.message_context_turns,
            "reply_turns": settings.reply_context_turns,
        }
        return replace(self.reading, **{name: value for name, value in wanted.items() if value is not None})


def open_model(path: str | os.PathLike[str], settings: ModelSettings | None = None) -> OpenModel:
    """Open an ArmoRM or a model derived from it, a sequence classifier, a guard, or a probe with its backbone.

    Args:
        path: a folder, a hub id, or `builtin`.
        settings: what the checkpoint is used as: `scale`, `template`, `reads`, `verdicts`, `max_input_tokens`; None:
            the defaults.

    Raises:
        ConfigurationError: there is no such checkpoint, it is of another kind, or its config, tokenizer or template is
            damaged.
    """
    # its own handler writes plain text; ours writes JSON
    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()
    location = locate(path)
    fields = read_config(location.folder)
    settings = settings or ModelSettings()
    if is_probe(fields):
        return _open_probe(location, read_probe(location.folder, fields), settings)
    if settings.verdicts is not None and not is_generator(fields):
        raise ConfigurationError(f"{location.folder}: is no guard: leave `MODERATOR_MODEL__VERDICTS` unset")
    if is_weighted_classifier(fields):
        return _open_weighted(location, fields, settings)
    if is_classifier(fields):
        return _open_classifier(location, fields, settings)
    if is_generator(fields):
        return _open_guard(location, fields, settings)
    named = fields.get("architectures") or [ARCHITECTURE]
    if named not in [[name] for name in (ARCHITECTURE, *QUANTILE_ARCHITECTURES)]:
        raise ConfigurationError(
            f"{location.folder / 'config.json'}: `architectures` is `{_first(named)}`: neither ArmoRM "
            f"(`{ARCHITECTURE}`) nor a `…ForSequenceClassification` or a guard (`…ForCausalLM`); name a reward or "
            "moderation model"
        )
    return _open_armorm(location, fields, settings)


def _open_armorm(location: Location, fields: Mapping[str, Any], settings: ModelSettings) -> OpenModel:
    _refuse_wishes(location, "ArmoRM", settings)
    opened = open_armorm(location, settings.max_input_tokens, settings.template)
    backbone, objectives = opened.config.backbone, opened.config.objectives
    return _open(opened, fields, backbone, objectives, "raw", backbone.max_position_embeddings)


def _open_weighted(location: Location, fields: Mapping[str, Any], settings: ModelSettings) -> OpenModel:
    _refuse_wishes(location, "URM", settings)
    opened = open_weighted(location, fields, settings)
    config = opened.config
    return _open(opened, fields, config.network, opened.objectives, WeightedClassifier.scale, config.positions)


def _open_classifier(location: Location, fields: Mapping[str, Any], settings: ModelSettings) -> OpenModel:
    opened = open_classifier(location, fields, settings)
    config = opened.config
    model = _open(opened, fields, config.network, config.objectives, config.scale, config.positions)
    return replace(model, is_causal=not config.is_encoder, renamed=opened.renamed)


def _open_guard(location: Location, fields: Mapping[str, Any], settings: ModelSettings) -> OpenModel:
    opened = open_guard(location, fields, settings)
    config, verdicts = opened.config, opened.verdicts
    model = _open(opened, fields, config.network, verdicts.objectives, verdicts.scale, config.positions)
    return replace(model, verdicts_digest=verdicts.digest)


class _Opened(Protocol):
    """What every kind has, once it is opened."""

    @property
    def location(self) -> Location: ...
    @property
    def tokenizer(self) -> PreTrainedTokenizerFast: ...
    @property
    def renderer(self) -> Renderer: ...
    @property
    def network(self) -> torch.nn.Module: ...
    def load(self, dtype: str, device: torch.device) -> RewardModel: ...


def _open(  # noqa: PLR0917 - what the kinds have each in its own place
    opened: _Opened,
    fields: Mapping[str, Any],
    backbone: PretrainedConfig,
    objectives: tuple[str, ...],
    scale: OutputScale,
    positions: int,
) -> OpenModel:
    return OpenModel(
        location=opened.location,
        architecture=str(_first(fields.get("architectures") or ARCHITECTURE)),
        backbone=backbone,
        tokenizer=opened.tokenizer,
        renderer=opened.renderer,
        objectives=objectives,
        scale=scale,
        framing=opened.renderer.framing,
        positions=positions,
        max_input_tokens=opened.renderer.max_tokens,
        reading=declared_limits(fields, positions, str(opened.location.folder / CONFIG)),
        is_causal=True,
        shapes={name: tensor.shape for name, tensor in opened.network.state_dict().items()},
        renamed={},
        load=opened.load,
    )


def _refuse_wishes(location: Location, name: str, settings: ModelSettings) -> None:
    if settings.scale not in {None, "raw"} or settings.reads == "message":
        raise ConfigurationError(
            f"{location.folder}: {name} gives rewards for conversations: leave `MODERATOR_MODEL__SCALE` and "
            "`MODERATOR_MODEL__READS` unset"
        )


def _open_probe(location: Location, probe: Probe, settings: ModelSettings) -> OpenModel:
    try:
        base = open_model(probe.base_path, settings)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{location.folder}: its backbone, {probe.config.base_fingerprint}, cannot be opened: {error}"
        ) from error
    if base.probe is not None:
        raise ConfigurationError(f"{location.folder}: its backbone `{probe.config.base}` is a probe itself")
    refuse_questions(base.renderer.questions, str(location.folder))
    probe = replace(probe, base_scale=base.scale)
    hidden_size, width = base.backbone.hidden_size, probe.weight.shape[1]
    if width != hidden_size:
        raise ConfigurationError(f"{location.folder}: reads {width} hidden states, but the backbone has {hidden_size}")
    return replace(
        base,
        location=replace(base.location, name=location.name),
        objectives=added_to(base.objectives, probe.config.objectives, str(location.folder / CONFIG)),
        scale=ProbedModel.scale,
        load=lambda dtype, device: with_probe(base.load(dtype, device), location.name, probe),
        probe=probe,
    )


def _first(named: object) -> object:
    return named[0] if isinstance(named, list) and named else named
