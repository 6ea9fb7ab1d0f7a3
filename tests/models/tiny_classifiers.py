"""Tiny random sequence classifiers, saved by transformers itself."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from tests.models.sparse_weights import write_sparse
from tests.models.tiny_tokenizers import tokenizer_of

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.5,
}


OWN: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "mistral": {"num_key_value_heads": 2, "sliding_window": None},
    "gemma": {"num_key_value_heads": 1, "head_dim": 8},
    "gemma2": {
        "num_key_value_heads": 2,
        "head_dim": 8,
        "query_pre_attn_scalar": 3,
        "attn_logit_softcapping": 1.5,
        "final_logit_softcapping": 2.0,
        "sliding_window": 128,
    },
    "bert": {},
    "roberta": {"pad_token_id": 1, "max_position_embeddings": 130, "type_vocab_size": 1},
    # with larger weights these two multiply what sums round: float32 is then up to 7e-6 off
    "xlm-roberta": {"pad_token_id": 1, "max_position_embeddings": 130, "type_vocab_size": 1, "initializer_range": 0.3},
    "distilbert": {"hidden_dim": 24, "pad_token_id": 0, "sinusoidal_pos_embds": False, "initializer_range": 0.3},
    "deberta-v2": {
        "pad_token_id": 1,
        "relative_attention": True,
        "position_buckets": 8,
        "max_relative_positions": -1,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "modernbert": {"pad_token_id": 258, "local_attention": 8, "cls_token_id": 256, "sep_token_id": 257},
}

FAMILIES = tuple(OWN)
ENCODERS = ("bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2", "modernbert")


def write_classifier(folder: Path, family: str, labels: tuple[str, ...] = ("reward",), **changes: Any) -> Path:
    """Save a random classifier as its authors would; weights large enough that every part matters."""
    tokenizer = tokenizer_of(family)
    fields = {
        **SIZES,
        "vocab_size": len(tokenizer),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: at for at, label in enumerate(labels)},
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None,
        **OWN[family],
        **changes,
    }
    torch.manual_seed(1)
    network = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(family, **fields))  # type: ignore[no-untyped-call]
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def plain_logits(folder: Path, token_ids: list[int]) -> list[float]:
    """Give what transformers itself gives for one text alone, without padding."""
    network = plain_network(folder)
    with torch.inference_mode():
        logits: list[float] = network(input_ids=torch.tensor([token_ids])).logits[0].tolist()
    return logits


@cache
def plain_network(folder: Path, kind: type[Any] = AutoModelForSequenceClassification) -> PreTrainedModel:
    """The network as transformers' `kind` loads it."""
    # fused kernels do not cap logits, as Gemma 2 does
    network: PreTrainedModel = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    network.train(mode=False)
    return network


def write_large(folder: Path) -> Path:
    """Save a classifier of more than a billion parameters, all but a few in the embedding, and all of them zero."""
    write_classifier(folder, "llama")
    fields = json.loads((folder / "config.json").read_text()) | {"vocab_size": 2**26}
    (folder / "config.json").write_text(json.dumps(fields))
    shapes = {name: tuple(tensor.shape) for name, tensor in load_file(folder / "model.safetensors").items()}
    write_sparse(folder / "model.safetensors", shapes | {"model.embed_tokens.weight": (2**26, 16)})
    return folder
