"""`config.json` of an ArmoRM or a QRM checkpoint, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from huggingface_hub.errors import StrictDataclassError
from transformers import LlamaConfig
from transformers.activations import ACT2FN

from moderator.errors import ConfigurationError
from moderator.objectives import ARMORM_OBJECTIVES, armorm_objectives
from moderator.scoring.checkpoint.configs.fields import SIZES, is_positive, positive, reason_of, refuse_two_ways, whole
from moderator.scoring.runtime.rotary import check_kind

ARCHITECTURE: Final = "LlamaForRewardModelWithGating"
"""The name in the `architectures` of ArmoRM's `config.json`."""
QUANTILE_ARCHITECTURES: Final = ("LlamaForRewardModelWithGating3", "LlamaForRewardModelWithGating31")
"""Those of QRM alone; it also uses ArmoRM's."""
_QUANTILES: Final = "num_quantiles"
_OPTIONS: Final = (
    "num_key_value_heads",
    "head_dim",
    "rms_norm_eps",
    "hidden_act",
    "attention_bias",
    "mlp_bias",
    "initializer_range",
)
_OPTIONAL_SIZES: Final = _OPTIONS[:2]


@dataclass(frozen=True, slots=True)
class ArmoRMConfig:
    """The shape of an ArmoRM model.

    Attributes:
        backbone: the Llama under the heads.
        objectives: k names in the order of the regression's rows.
        gating_temperature: divides the gate's logits before the softmax.
        gating_hidden_dim: width of the gate's hidden layers.
        gating_n_hidden: number of the gate's hidden layers, >= 0; one linear layer follows them.
        quantiles: how many numbers the regression gives for each objective; None: one, and the gate is ArmoRM's.
    """

    backbone: LlamaConfig
    objectives: tuple[str, ...] = ARMORM_OBJECTIVES
    gating_temperature: float = 10.0
    gating_hidden_dim: int = 1024
    gating_n_hidden: int = 3
    quantiles: int | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], where: str = "config.json") -> "ArmoRMConfig":
        """Read the fields of a `config.json`; those we do not need, such as `auto_map`, are ignored.

        Args:
            fields: the JSON object.
            where: names the file in errors.

        Raises:
            ConfigurationError: a field is missing, of the wrong type, or contradicts another; the text names it.
        """
        if fields.get("model_type", "llama") != "llama":
            raise ConfigurationError(f"{where}: `model_type` is `{fields['model_type']}`; ArmoRM needs `llama`")
        refuse_two_ways(fields, where)
        return cls(
            backbone=_backbone(fields, where),
            objectives=_objectives(fields, where),
            gating_temperature=positive(fields, "gating_temperature", where, default=10.0),
            gating_hidden_dim=whole(fields, "gating_hidden_dim", where, least=1, default=1024),
            gating_n_hidden=whole(fields, "gating_n_hidden", where, least=0, default=3),
            quantiles=_quantiles(fields, where),
        )

    def to_fields(self) -> dict[str, Any]:
        """Return the JSON object from which `from_fields` makes an equal config."""
        return {
            "architectures": [ARCHITECTURE],
            "model_type": "llama",
            **{name: getattr(self.backbone, name) for name in (*SIZES, *_OPTIONS)},
            "rope_parameters": dict(self.backbone.rope_parameters or {}),
            "num_objectives": len(self.objectives),
            "objectives": list(self.objectives),
            "gating_temperature": self.gating_temperature,
            "gating_hidden_dim": self.gating_hidden_dim,
            "gating_n_hidden": self.gating_n_hidden,
            **({} if self.quantiles is None else {_QUANTILES: self.quantiles}),
        }


def _quantiles(fields: Mapping[str, Any], where: str) -> int | None:
    is_needed = fields.get("architectures") in [[name] for name in QUANTILE_ARCHITECTURES]
    return whole(fields, _QUANTILES, where, least=1) if is_needed or _QUANTILES in fields else None


def _objectives(fields: Mapping[str, Any], where: str) -> tuple[str, ...]:
    try:
        return armorm_objectives(fields)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _backbone(fields: Mapping[str, Any], where: str) -> LlamaConfig:
    theta = _rope_theta(fields, where)
    known: dict[str, Any] = {name: whole(fields, name, where, least=1) for name in SIZES}
    known |= {name: fields[name] for name in _OPTIONS if fields.get(name) is not None}
    known |= {name: whole(fields, name, where, least=1) for name in _OPTIONAL_SIZES if name in known}
    known["rms_norm_eps"] = positive(fields, "rms_norm_eps", where, default=1e-6)
    known |= {name: fields[name] for name in ("rope_theta", "rope_scaling", "rope_parameters") if name in fields}
    try:
        # no padding token: packed texts need none, and the embedding rejects an id outside the vocabulary
        config = LlamaConfig(**known, pad_token_id=None, bos_token_id=None, eos_token_id=None, use_cache=False)
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"{where}: {reason_of(error)}") from error
    if (config.rope_parameters or {}).get("rope_theta") != theta:
        raise ConfigurationError(f"{where}: `rope_theta` is {theta}, but this transformers release would use another")
    _check_heads(config, where)
    check_kind(config, where)
    if config.hidden_act not in ACT2FN:
        raise ConfigurationError(f"{where}: `hidden_act` is `{config.hidden_act}`, which is not an activation function")
    return config


def _check_heads(config: LlamaConfig, where: str) -> None:
    heads, key_heads = config.num_attention_heads, config.num_key_value_heads
    if key_heads is None or heads % key_heads:
        raise ConfigurationError(f"{where}: `num_key_value_heads` is {key_heads}; it must divide {heads} heads")
    if config.head_dim is None or config.head_dim % 2:
        raise ConfigurationError(f"{where}: `head_dim` is {config.head_dim}; rotary positions need an even one")


def _rope_theta(fields: Mapping[str, Any], where: str) -> float:
    """Find the file's theta: in `rope_parameters`, as transformers 5 writes it, or in `rope_theta`, as 4 did."""
    nested = fields.get("rope_parameters") or {}
    theta = nested.get("rope_theta", fields.get("rope_theta")) if isinstance(nested, dict) else None
    if not is_positive(theta):
        raise ConfigurationError(f"{where}: `rope_theta` is missing or not a number above 0")
    return float(theta)
