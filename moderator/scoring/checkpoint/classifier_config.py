"""`config.json` of a sequence classifier, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, PretrainedConfig
from transformers.activations import ACT2FN

from moderator.errors import ConfigurationError
from moderator.objectives import label_names
from moderator.scoring.checkpoint.config_fields import SIZES, reason_of, whole
from moderator.scoring.runtime.rotary import check_kind

Activation = Literal["raw", "sigmoid", "softmax"]

DECODERS: Final = ("llama", "qwen2", "qwen3", "mistral", "gemma")
"""Causal backbones with one linear layer on top, read at the last token."""
ENCODERS: Final = ("bert", "roberta", "modernbert")
"""Bidirectional backbones with the head that transformers gives them."""

_ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "regression": "raw",
    "multi_label_classification": "sigmoid",
    "single_label_classification": "softmax",
}
_UNSUPPORTED: Final = (
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "use_bidirectional_attention",
    "is_decoder",
    "add_cross_attention",
)
_NOT_PASSED_ON: Final = (
    *("architectures", "auto_map", "dtype", "torch_dtype", "model_type", "_name_or_path", "use_cache"),
    *("return_dict", "output_hidden_states", "output_attentions", "torchscript", "chunk_size_feed_forward"),
    *("id2label", "label2id", "num_labels", "problem_type"),
)
"""Fields that name code, that say how to run the model, or that we read ourselves."""
_NO_TOKENS: Final = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"))


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """The shape of a sequence classifier, and what its outputs mean.

    Attributes:
        network: transformers' own config.
        objectives: the k labels, in the order of the head.
        activation: applied to the head's outputs: none, a sigmoid for each label, or a softmax over all labels.
        positions: length in tokens of the longest text that the network has positions for.
    """

    network: PretrainedConfig
    objectives: tuple[str, ...]
    activation: Activation
    positions: int

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
    def from_fields(cls, fields: Mapping[str, Any], where: str = "config.json") -> "ClassifierConfig":
        """Read the fields of a `config.json`; code that it names is ignored.

        Args:
            fields: the JSON object.
            where: names the file in errors.

        Raises:
            ConfigurationError: the architecture is not supported, or a field is missing, of the wrong type, or
                contradicts another; the text names it.
        """
        _refuse_unsupported(fields, where)
        try:
            objectives = label_names(fields)
        except ValueError as error:
            raise ConfigurationError(f"{where}: {error}") from error
        network = _network(fields, len(objectives), where)
        return cls(network, objectives, _activation(fields, len(objectives), where), _positions(network))

    def refuse_window(self, max_input_tokens: int, where: str) -> None:
        """Refuse an attention window that is shorter than the longest text.

        Raises:
            ConfigurationError: packed attention covers the whole text, which this network was not trained for.
        """
        window = None if self.is_encoder else getattr(self.network, "sliding_window", None)
        kinds = getattr(self.network, "layer_types", None) or ["sliding_attention"]
        if window is None or "sliding_attention" not in kinds:
            return
        if whole({"sliding_window": window}, "sliding_window", where, least=1) < max_input_tokens:
            raise ConfigurationError(
                f"{where}: `sliding_window` is {window}: only full attention is supported; "
                f"set `MODERATOR_MODEL__MAX_INPUT_TOKENS` to {window} or less, where both are the same"
            )


def _refuse_unsupported(fields: Mapping[str, Any], where: str) -> None:
    family = fields.get("model_type")
    if family not in (*DECODERS, *ENCODERS):
        known = ", ".join((*DECODERS, *ENCODERS))
        raise ConfigurationError(f"{where}: `model_type` is `{family}`; a classifier may be of {known}")
    if fields.get("quantization_config") is not None:
        raise ConfigurationError(f"{where}: `quantization_config`: quantized checkpoints cannot be loaded")
    for name in _UNSUPPORTED:
        if fields.get(name):
            raise ConfigurationError(f"{where}: `{name}` is `{fields[name]}`, which is not supported")


def _network(fields: Mapping[str, Any], labels: int, where: str) -> PretrainedConfig:
    for name in SIZES:
        whole(fields, name, where, least=1)
    known = {name: value for name, value in fields.items() if name not in _NOT_PASSED_ON}
    if fields["model_type"] in DECODERS:
        known |= _NO_TOKENS  # packed texts need no padding, and the embedding rejects an id outside the vocabulary
        known["use_cache"] = False
    try:
        config: PretrainedConfig = CONFIG_MAPPING[fields["model_type"]].from_dict(known, num_labels=labels)
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"{where}: {reason_of(error)}") from error
    _check(config, where)
    return config


def _check(config: PretrainedConfig, where: str) -> None:
    name = "hidden_activation" if config.model_type == "modernbert" else "hidden_act"
    if getattr(config, name) not in ACT2FN:
        raise ConfigurationError(f"{where}: `{name}` is `{getattr(config, name)}`, which is not an activation function")
    padding = config.pad_token_id
    if (padding is None and config.model_type == "roberta") or (padding or 0) not in range(config.vocab_size):
        raise ConfigurationError(f"{where}: `pad_token_id` is `{padding}`, which is not a token")
    check_kind(config, where)


def _activation(fields: Mapping[str, Any], labels: int, where: str) -> Activation:
    """Find what the outputs mean. If the file does not say: a single label is a reward, several exclude one another."""
    problem = fields.get("problem_type")
    if problem is None:
        return "raw" if labels == 1 else "softmax"
    if not isinstance(problem, str) or problem not in _ACTIVATIONS:
        raise ConfigurationError(f"{where}: `problem_type` is `{problem}`; it may be {', '.join(_ACTIVATIONS)}")
    if problem == "single_label_classification" and labels == 1:
        raise ConfigurationError(
            f"{where}: `problem_type` is `{problem}`, but there is one label, whose probability would always be 1; "
            "say `regression` for a reward, `multi_label_classification` for a probability"
        )
    return _ACTIVATIONS[problem]


def _positions(network: PretrainedConfig) -> int:
    positions = int(network.max_position_embeddings)
    # its positions start after the padding token's
    return positions - 1 - int(network.pad_token_id or 0) if network.model_type == "roberta" else positions
