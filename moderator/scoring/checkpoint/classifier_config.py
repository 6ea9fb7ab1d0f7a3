"""What `config.json` of a sequence classifier says, checked once."""

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
"""Causal backbones under one linear layer, read at the last token."""
ENCODERS: Final = ("bert", "roberta", "modernbert")
"""Backbones that see both ways, under the head that transformers gives them."""

_ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "regression": "raw",
    "multi_label_classification": "sigmoid",
    "single_label_classification": "softmax",
}
_UNKNOWN_TO_US: Final = (
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "use_bidirectional_attention",
    "is_decoder",
    "add_cross_attention",
)
_NOT_FOR_US: Final = (
    *("architectures", "auto_map", "dtype", "torch_dtype", "model_type", "_name_or_path", "use_cache"),
    *("return_dict", "output_hidden_states", "output_attentions", "torchscript", "chunk_size_feed_forward"),
    *("id2label", "label2id", "num_labels", "problem_type"),
)
"""What names code of others, says how somebody wants the model run, or is read by ourselves."""
_NO_TOKENS: Final = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"))


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """The shape of a sequence classifier, and what its numbers mean.

    Attributes:
        network: transformers' own config.
        objectives: the k labels, in the order of the head.
        activation: what is done to the head's outputs: nothing, or a probability for each label or over all labels.
        positions: tokens that the network can tell the places of.
    """

    network: PretrainedConfig
    objectives: tuple[str, ...]
    activation: Activation
    positions: int

    @property
    def is_encoder(self) -> bool:
        """Each token sees those after it too."""
        return self.network.model_type in ENCODERS

    @property
    def head_size(self) -> int:
        """Numbers of an attention head; what the file says of it, encoders do not read."""
        even = int(self.network.hidden_size // self.network.num_attention_heads)
        return even if self.is_encoder else getattr(self.network, "head_dim", even)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], where: str = "config.json") -> "ClassifierConfig":
        """Read the fields of a `config.json`; code that it names is passed over.

        Args:
            fields: the JSON object.
            where: names the file in errors.

        Raises:
            ConfigurationError: the architecture is not one of ours, or a field is missing, of the wrong type, or at
                odds with another; the text names it.
        """
        _refuse_what_we_cannot(fields, where)
        try:
            objectives = label_names(fields)
        except ValueError as error:
            raise ConfigurationError(f"{where}: {error}") from error
        network = _network(fields, len(objectives), where)
        return cls(network, objectives, _activation(fields, len(objectives), where), _positions(network))

    def refuse_window(self, max_input_tokens: int, where: str) -> None:
        """Refuse a window of attention that the longest text does not fit into.

        Raises:
            ConfigurationError: packed attention sees the whole text, which this network has not learned to.
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


def _refuse_what_we_cannot(fields: Mapping[str, Any], where: str) -> None:
    family = fields.get("model_type")
    if family not in (*DECODERS, *ENCODERS):
        known = ", ".join((*DECODERS, *ENCODERS))
        raise ConfigurationError(f"{where}: `model_type` is `{family}`; a classifier may be of {known}")
    if fields.get("quantization_config") is not None:
        raise ConfigurationError(f"{where}: `quantization_config`: quantized checkpoints cannot be loaded")
    for name in _UNKNOWN_TO_US:
        if fields.get(name):
            raise ConfigurationError(f"{where}: `{name}` is `{fields[name]}`, which is not supported")


def _network(fields: Mapping[str, Any], labels: int, where: str) -> PretrainedConfig:
    for name in SIZES:
        whole(fields, name, where, least=1)
    known = {name: value for name, value in fields.items() if name not in _NOT_FOR_US}
    if fields["model_type"] in DECODERS:
        known |= _NO_TOKENS  # packed texts have no padding, and an id beyond the vocabulary would stop the embedding
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
        raise ConfigurationError(f"{where}: `{name}` is `{getattr(config, name)}`, which is no activation")
    padding = config.pad_token_id
    if (padding is None and config.model_type == "roberta") or (padding or 0) not in range(config.vocab_size):
        raise ConfigurationError(f"{where}: `pad_token_id` is `{padding}`, which is no token")
    check_kind(config, where)


def _activation(fields: Mapping[str, Any], labels: int, where: str) -> Activation:
    """Find what the numbers mean; where the file does not say: one is a reward, several exclude one another."""
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
    # its positions are counted from behind the padding's
    return positions - 1 - int(network.pad_token_id or 0) if network.model_type == "roberta" else positions
