"""Build the network of a sequence classifier with transformers, its head in float32."""

from typing import Final

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from moderator.scoring.checkpoint.configs.classifier import DECODERS, ClassifierConfig
from moderator.scoring.classifier.decoders import trim, without_weights
from moderator.scoring.runtime import attention
from moderator.scoring.runtime.reference import plain_attention
from moderator.scoring.runtime.rotary import check_frequencies

FLOAT32_HEADS: Final = {
    **dict.fromkeys(DECODERS, ("score",)),
    "bert": ("bert.pooler", "classifier"),
    "roberta": ("classifier",),
    "xlm-roberta": ("classifier",),
    "distilbert": ("pre_classifier", "classifier"),
    "deberta-v2": ("pooler", "classifier"),
    "modernbert": ("head", "classifier"),
}
"""The parts that compute in float32, by `model_type`; the first is called first."""


def build_network(config: ClassifierConfig, where: str) -> PreTrainedModel:
    """Build the network without its weights; its head takes hidden states of any dtype as float32.

    Raises:
        ConfigurationError: no such network can be built; the text names `where`, the file that describes it.
    """
    implementation = plain_attention(config.network) if config.is_encoder else attention.IMPLEMENTATION
    network: PreTrainedModel = without_weights(
        lambda: AutoModelForSequenceClassification.from_config(config.network, attn_implementation=implementation),  # type: ignore[no-untyped-call]
        where,
    )
    if not config.is_encoder:
        trim(network.get_submodule("model"))
    if config.has_bias:
        _add_bias(network)
    check_frequencies(network, config.head_size, where)
    network.get_submodule(FLOAT32_HEADS[config.network.model_type][0]).register_forward_pre_hook(_in_float32)
    network.train(mode=False)
    return network


def _add_bias(network: PreTrainedModel) -> None:
    """Give a decoder's head a bias without weights, which transformers builds none for."""
    head = network.get_submodule("score")
    weight = head.get_parameter("weight")  # (k, hidden)
    head.register_parameter("bias", torch.nn.Parameter(weight.new_empty(weight.shape[0])))


def _in_float32(_: torch.nn.Module, hidden: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    first, *rest = hidden
    return (first.float(), *rest)
