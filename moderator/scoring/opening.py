"""Open a checkpoint of any kind: all that can be told before its weights are read, and how to read them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PretrainedConfig
from transformers.utils import logging as transformers_logging

from moderator.errors import ConfigurationError
from moderator.objectives import is_classifier
from moderator.scoring.armorm.network import ARMORM_HEADS, ArmoRM, build_model, build_renderer
from moderator.scoring.checkpoint.armorm_config import ARCHITECTURE
from moderator.scoring.checkpoint.checkpoint import (
    Location,
    fill,
    fingerprint,
    locate,
    naming,
    open_checkpoint,
    read_config,
    read_tokenizer,
)
from moderator.scoring.checkpoint.classifier_config import Activation, ClassifierConfig
from moderator.scoring.checkpoint.weights import Weights
from moderator.scoring.classifier.classifier import Classifier
from moderator.scoring.classifier.network import CLASSIFIER_HEADS, build_network
from moderator.scoring.model import RewardModel
from moderator.scoring.rendering.framing import FRAMING
from moderator.scoring.rendering.limits import input_tokens
from moderator.scoring.rendering.messages import MessageRenderer
from moderator.scoring.rendering.templates import TemplateRenderer
from moderator.settings import ModelSettings

Load = Callable[[ModelSettings, torch.device], RewardModel]
"""Takes how to run it, and where."""


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A checkpoint whose config, tokenizer and template are read and whose weights are not yet.

    Attributes:
        location: where it lies, and what people call it.
        architecture: as its `config.json` names it.
        backbone: transformers' config of what lies under the head.
        objectives: k names, in the order of the scores.
        scale: what the scores are: rewards as they come, or probabilities.
        framing: the rule that turns an event into what the model reads.
        positions: tokens that the network can tell the places of.
        max_input_tokens: longer conversations are truncated.
        is_causal: no token sees those after it.
        shapes: of every tensor, by name.
        load: reads the weights into the network that was built, so once; raises ConfigurationError as `fill` does.
    """

    location: Location
    architecture: str
    backbone: PretrainedConfig
    objectives: tuple[str, ...]
    scale: Activation
    framing: str
    positions: int
    max_input_tokens: int
    is_causal: bool
    shapes: Mapping[str, torch.Size]
    load: Load

    def check_weights(self) -> Weights:
        """Hold the safetensors files' headers against the network.

        Raises:
            ConfigurationError: a file or a key is missing, unexpected, damaged or misshapen; the text names it.
        """
        return Weights(self.location.folder, self.shapes)

    def fingerprint(self, weights: Weights) -> str:
        """Hash the files, as loading them does: `sha256:` and 64 hex digits."""
        return fingerprint(self.location.folder, weights)


def open_model(path: str | os.PathLike[str], max_input_tokens: int | None = None) -> OpenModel:
    """Open an ArmoRM or a sequence classifier.

    Args:
        path: a folder, a hub id, or `builtin`.
        max_input_tokens: longer conversations are truncated; None: the lesser of 4,096 and the model's positions.

    Raises:
        ConfigurationError: there is no such checkpoint, it is of another kind, or its config, tokenizer or template is
            damaged.
    """
    # its own handler writes prose; ours writes JSON
    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()
    location = locate(path)
    fields = read_config(location.folder)
    if is_classifier(fields):
        return _open_classifier(location, fields, max_input_tokens)
    named = fields.get("architectures") or [ARCHITECTURE]
    if named != [ARCHITECTURE]:
        raise ConfigurationError(
            f"{location.folder / 'config.json'}: `architectures` is `{_first(named)}`: neither ArmoRM "
            f"(`{ARCHITECTURE}`) nor a `…ForSequenceClassification`; name a reward or moderation model"
        )
    return _open_armorm(location, max_input_tokens)


def _open_armorm(location: Location, max_input_tokens: int | None) -> OpenModel:
    checkpoint = open_checkpoint(location.folder)
    backbone = checkpoint.config.backbone
    renderer = build_renderer(checkpoint, max_input_tokens)
    network = build_model(checkpoint)

    def load(settings: ModelSettings, device: torch.device) -> ArmoRM:
        files = fill(network, location.folder, ARMORM_HEADS, settings.dtype, device)
        return ArmoRM(network, renderer, checkpoint.config, location, files)

    return OpenModel(
        location=location,
        architecture=ARCHITECTURE,
        backbone=backbone,
        objectives=checkpoint.config.objectives,
        scale="raw",
        framing=FRAMING,
        positions=backbone.max_position_embeddings,
        max_input_tokens=renderer.max_tokens,
        is_causal=True,
        shapes={name: tensor.shape for name, tensor in network.state_dict().items()},
        load=load,
    )


def _open_classifier(location: Location, fields: Mapping[str, Any], max_input_tokens: int | None) -> OpenModel:
    where = str(location.folder / "config.json")
    config = ClassifierConfig.from_fields(fields, where)
    limit = input_tokens(max_input_tokens, config.positions)
    config.refuse_window(limit, where)
    network = build_network(config, where)
    tokenizer = read_tokenizer(location.folder, config.network.vocab_size)
    with naming(location.folder):
        renderer = (TemplateRenderer if tokenizer.chat_template else MessageRenderer)(tokenizer, limit)

    def load(settings: ModelSettings, device: torch.device) -> Classifier:
        files = fill(network, location.folder, CLASSIFIER_HEADS[config.network.model_type], settings.dtype, device)
        return Classifier(network, renderer, config, name=location.name, fingerprint=files)

    return OpenModel(
        location=location,
        architecture=str(_first(fields["architectures"])),
        backbone=config.network,
        objectives=config.objectives,
        scale=config.scale,
        framing=renderer.framing,
        positions=config.positions,
        max_input_tokens=limit,
        is_causal=not config.is_encoder,
        shapes={name: tensor.shape for name, tensor in network.state_dict().items()},
        load=load,
    )


def _first(named: object) -> object:
    return named[0] if isinstance(named, list) and named else named
