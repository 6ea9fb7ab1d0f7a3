"""`config.json` of a sequence classifier, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, PretrainedConfig
from transformers.activations import ACT2FN

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.objectives import head_prefix, head_rows, label_names
from moderator.scoring.checkpoint.configs.fields import SIZES, positive, reason_of, refuse_two_ways, whole
from moderator.scoring.checkpoint.configs.output_scale import Normalisation, read_normalisation, read_scale
from moderator.scoring.checkpoint.files import CONFIG
from moderator.scoring.runtime.reference import HOW_TO_RUN
from moderator.scoring.runtime.rotary import check_kind
from moderator.tensor_headers import tensor_shapes

DECODERS: Final = ("llama", "qwen2", "qwen3", "mistral", "gemma", "gemma2")
"""Causal backbones with one linear layer on top, read at the last token."""
ENCODERS: Final = ("bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2", "modernbert")
"""Bidirectional backbones with the head that transformers gives them."""

_AFTER_PADDING: Final = ("roberta", "xlm-roberta")
"""Families whose positions count from the one after the padding token's id."""
_OWN_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "distilbert": {
        "hidden_size": "dim",
        "intermediate_size": "hidden_dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "hidden_act": "activation",
    },
    "modernbert": {"hidden_act": "hidden_activation"},
    "gemma2": {"hidden_act": "hidden_activation"},
}
"""Family -> what its config calls a field of the others."""

_CAPS: Final = ("attn_logit_softcapping", "final_logit_softcapping")
_UNSUPPORTED: Final = ("is_decoder", "add_cross_attention")
_NOT_PASSED_ON: Final = (
    *HOW_TO_RUN,
    *("id2label", "label2id", "num_labels", "problem_type", "normalize_reward", "mean", "std", "value_head_prefix"),
)
"""Fields that say how to run the model, or that we read ourselves."""
_HEAD: Final = "score"
"""What transformers calls a decoder's head."""
_NO_TOKENS: Final = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"))


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """The shape of a sequence classifier, and what its outputs mean.

    Attributes:
        network: transformers' own config.
        objectives: the k labels, in the order of the head.
        scale: what the head's outputs become: rewards, a probability of each label, or a softmax over all of them.
        positions: length in tokens of the longest text that the network has positions for.
        normalisation: of the head's outputs, before the activation.
        padding: its id; a decoder's score is read at the last token that is not padding.
        head: what the file calls a decoder's head.
        has_bias: a decoder's head has one, which transformers does not build.
    """

    network: PretrainedConfig
    objectives: tuple[str, ...]
    scale: OutputScale
    positions: int
    normalisation: Normalisation
    padding: int | None = None
    head: str = _HEAD
    has_bias: bool = False

    @property
    def is_encoder(self) -> bool:
        """Whether attention is bidirectional."""
        return self.network.model_type in ENCODERS

    @property
    def head_size(self) -> int:
        """Width of an attention head; encoders ignore the file's `head_dim`."""
        even = int(self.network.hidden_size // self.network.num_attention_heads)
        return even if self.is_encoder else getattr(self.network, "head_dim", even)

    @classmethod
    def read(cls, folder: Path, fields: Mapping[str, Any], scale: OutputScale | None = None) -> "ClassifierConfig":
        """Read the fields of a `config.json`, and of the weights the head's shape; code that it names is ignored.

        Args:
            folder: of the checkpoint.
            fields: the JSON object.
            scale: what the head's outputs are; None: what the file says.

        Raises:
            ConfigurationError: the architecture is not supported, or a field is missing, of the wrong type, or
                contradicts another; the text names it.
        """
        where, shapes = str(folder / CONFIG), tensor_shapes(folder)
        _refuse_unsupported(fields, where)
        try:
            objectives = label_names(fields, head_rows(fields, shapes))
        except ValueError as error:
            raise ConfigurationError(f"{where}: {error}") from error
        network = _network(fields, len(objectives), where)
        head = head_prefix(fields) or _HEAD
        return cls(
            network,
            objectives,
            read_scale(fields, len(objectives), scale, where),
            _positions(network),
            read_normalisation(fields, where),
            padding=_padding(fields, where),
            head=head,
            has_bias=fields["model_type"] in DECODERS and f"{head}.bias" in shapes,
        )


def refuse_window(network: PretrainedConfig, max_input_tokens: int, where: str) -> None:
    """Refuse a decoder's attention window that is shorter than the longest text.

    Raises:
        ConfigurationError: packed attention covers the whole text, which this network was not trained for.
    """
    window = getattr(network, "sliding_window", None)
    kinds = getattr(network, "layer_types", None) or ["sliding_attention"]
    if window is None or "sliding_attention" not in kinds:
        return
    if whole({"sliding_window": window}, "sliding_window", where, least=1) < max_input_tokens:
        raise ConfigurationError(
            f"{where}: `sliding_window` is {window}: only full attention is supported; "
            f"set `MODERATOR_MODEL__MAX_INPUT_TOKENS` to {window} or less, where both are the same"
        )


def read_network(fields: Mapping[str, Any], where: str) -> PretrainedConfig:
    """Read transformers' config of a decoder without its head.

    Raises:
        ConfigurationError: a field is missing, of the wrong type, or not supported; the text names it.
    """
    refuse_two_ways(fields, where)
    _refuse_fields(fields, where)
    return _network(fields, None, where)


def _refuse_unsupported(fields: Mapping[str, Any], where: str) -> None:
    family = fields.get("model_type")
    if family not in (*DECODERS, *ENCODERS):
        known = ", ".join((*DECODERS, *ENCODERS))
        raise ConfigurationError(f"{where}: `model_type` is `{family}`; a classifier may be of {known}")
    if family in DECODERS:
        refuse_two_ways(fields, where)
    _refuse_fields(fields, where)


def _refuse_fields(fields: Mapping[str, Any], where: str) -> None:
    is_capped = fields.get("model_type") == "gemma2"
    for name in _UNSUPPORTED if is_capped else (*_CAPS, *_UNSUPPORTED):
        if fields.get(name):
            raise ConfigurationError(f"{where}: `{name}` is `{fields[name]}`, which is not supported")


def _network(fields: Mapping[str, Any], labels: int | None, where: str) -> PretrainedConfig:
    own = _OWN_NAMES.get(fields["model_type"], {})
    for name in SIZES:
        whole(fields, own.get(name, name), where, least=1)
    known = {name: value for name, value in fields.items() if name not in _NOT_PASSED_ON}
    if fields["model_type"] not in ENCODERS:
        known |= _NO_TOKENS  # packed texts need no padding, and the embedding rejects an id outside the vocabulary
        known["use_cache"] = False
    try:
        config: PretrainedConfig = CONFIG_MAPPING[fields["model_type"]].from_dict(
            known, **({} if labels is None else {"num_labels": labels})
        )
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"{where}: {reason_of(error)}") from error
    _check(config, where)
    if config.model_type == "gemma2":
        for name in ("query_pre_attn_scalar", *(name for name in _CAPS if getattr(config, name) is not None)):
            positive(config.to_dict(), name, where)
    return config


def _check(config: PretrainedConfig, where: str) -> None:
    name = _OWN_NAMES.get(config.model_type, {}).get("hidden_act", "hidden_act")
    if getattr(config, name) not in ACT2FN:
        raise ConfigurationError(f"{where}: `{name}` is `{getattr(config, name)}`, which is not an activation function")
    padding = config.pad_token_id
    if (padding is None and config.model_type in _AFTER_PADDING) or (padding or 0) not in range(config.vocab_size):
        raise ConfigurationError(f"{where}: `pad_token_id` is `{padding}`, which is not a token")
    check_kind(config, where)


def _padding(fields: Mapping[str, Any], where: str) -> int | None:
    """Read the id of a decoder's padding, which may be any number that no text has."""
    if fields["model_type"] not in DECODERS or fields.get("pad_token_id") is None:
        return None
    return whole(fields, "pad_token_id", where, least=-1)


def _positions(network: PretrainedConfig) -> int:
    positions = int(network.max_position_embeddings)
    # they start after the padding token's
    return positions - 1 - int(network.pad_token_id or 0) if network.model_type in _AFTER_PADDING else positions
