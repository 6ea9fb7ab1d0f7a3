"""`config.json` of a decoder whose head is ours: a guard's, or a URM's; checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from transformers import PretrainedConfig

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.configs.classifier import DECODERS, read_network
from moderator.scoring.checkpoint.configs.fields import positive

_GENERATORS: Final = (*DECODERS, "granite")
"""Decoders whose answer can be read."""


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The shape of a decoder.

    Attributes:
        network: transformers' own config.
    """

    network: PretrainedConfig

    @property
    def positions(self) -> int:
        """Length in tokens of the longest text that the network has positions for."""
        return int(self.network.max_position_embeddings)

    @property
    def head_size(self) -> int:
        """Width of an attention head."""
        even = int(self.network.hidden_size // self.network.num_attention_heads)
        return int(getattr(self.network, "head_dim", None) or even)

    @classmethod
    def read(cls, fields: Mapping[str, Any], where: str) -> Self:
        """Read the fields of a URM's `config.json`; code that it names is ignored.

        Raises:
            ConfigurationError: it is no Llama, or a field is missing, of the wrong type, or contradicts another; the
                text names it.
        """
        if fields.get("model_type") != "llama":
            raise ConfigurationError(f"{where}: `model_type` is `{fields.get('model_type')}`; URM needs `llama`")
        return cls(read_network(fields, where))


@dataclass(frozen=True, slots=True)
class GuardConfig(DecoderConfig):
    """The shape of a text generator.

    Attributes:
        logits_scaling: the output layer's numbers are divided by it.
        logit_cap: c in c * tanh(z / c), which each of them becomes then; None: they stay as they are.
    """

    logits_scaling: float = 1.0
    logit_cap: float | None = None

    @classmethod
    def read(cls, fields: Mapping[str, Any], where: str) -> Self:
        """Read the fields of a guard's `config.json`; code that it names is ignored.

        Raises:
            ConfigurationError: the architecture is not supported, or a field is missing, of the wrong type, or
                contradicts another; the text names it.
        """
        if fields.get("model_type") not in _GENERATORS:
            raise ConfigurationError(
                f"{where}: `model_type` is `{fields.get('model_type')}`; a guard may be of {', '.join(_GENERATORS)}"
            )
        network = read_network(fields, where)
        cap = getattr(network, "final_logit_softcapping", None)
        return cls(network, positive(fields, "logits_scaling", where, default=1.0), cap)
