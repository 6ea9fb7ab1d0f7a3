"""`config.json` of a guard that answers with one token, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from transformers import PretrainedConfig

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.classifier_config import DECODERS, read_network, refuse_window
from moderator.scoring.checkpoint.config_fields import positive

GENERATORS: Final = (*DECODERS, "granite")
"""Decoders whose answer can be read."""


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """The shape of a text generator.

    Attributes:
        network: transformers' own config.
        logits_scaling: the output layer's numbers are divided by it.
    """

    network: PretrainedConfig
    logits_scaling: float = 1.0

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
    def read(cls, fields: Mapping[str, Any], where: str) -> "GuardConfig":
        """Read the fields of a `config.json`; code that it names is ignored.

        Raises:
            ConfigurationError: the architecture is not supported, or a field is missing, of the wrong type, or
                contradicts another; the text names it.
        """
        if fields.get("model_type") not in GENERATORS:
            raise ConfigurationError(
                f"{where}: `model_type` is `{fields.get('model_type')}`; a guard may be of {', '.join(GENERATORS)}"
            )
        return cls(read_network(fields, where), positive(fields, "logits_scaling", where, default=1.0))

    def refuse_window(self, max_input_tokens: int, where: str) -> None:
        """Refuse an attention window that is shorter than the longest text.

        Raises:
            ConfigurationError: packed attention covers the whole text, which this network was not trained for.
        """
        refuse_window(self.network, max_input_tokens, where)
