"""The network in training: a Llama backbone, logits for every column, and the linear rewards that are kept."""

from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import LlamaConfig, LlamaModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, apply_rotary_pos_emb

from moderator.training.data.rows import COLUMNS, OBJECTIVES
from moderator.training.text.batches import Batch

_HEAD_WIDTH = 32
_SHORT_TOKENS = 128


class TrainingNetwork(nn.Module):
    """A backbone with two kinds of heads on the last token's final hidden state.

    `logits` (one per column, with a sigmoid in the loss) guide the training and are dropped afterwards; `rewards` are
    linear, as in ArmoRM, and fitted to the labels themselves.
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.backbone = LlamaModel(config)
        self.logits = nn.Linear(config.hidden_size, len(COLUMNS))
        self.rewards = nn.Linear(config.hidden_size, len(OBJECTIVES), bias=False)
        self._states = self._hidden_at

    def compile_backbone(self) -> None:
        """Compile what the backbone computes: 1.4 times the tokens a second, after a minute or two."""
        self._states = torch.compile(self._hidden_at, dynamic=True)

    def last_hidden(self, batch: Batch) -> Tensor:
        """Return the final hidden state at each row's last real token, (n, hidden)."""
        return self.hidden_at(batch, batch.lengths - 1)

    def hidden_at(self, batch: Batch, positions: Tensor) -> Tensor:
        """Return the final hidden state of each row at its position, (n, hidden).

        Equal to these rows of the backbone's full output; the last layer computes no other rows. In training the
        products are in bfloat16.
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training), _attention(batch.ids.shape[1]):
            return self._states(batch, positions).float()

    def _hidden_at(self, batch: Batch, positions: Tensor) -> Tensor:
        backbone = self.backbone
        hidden = backbone.embed_tokens(batch.ids)  # (n, t, hidden)
        rotary = backbone.rotary_emb(hidden, torch.arange(batch.ids.shape[1])[None])
        for layer in backbone.layers[:-1]:
            hidden = layer(hidden, attention_mask=None, position_embeddings=rotary, use_cache=False)
        return self._last_layer(hidden, rotary, positions)

    def _last_layer(self, hidden: Tensor, rotary: tuple[Tensor, Tensor], positions: Tensor) -> Tensor:
        layer = cast("LlamaDecoderLayer", self.backbone.layers[-1])
        attention = layer.self_attn
        normed = layer.input_layernorm(hidden)
        rows = torch.arange(len(positions))
        query = _heads(attention.q_proj(normed[rows, positions])[:, None], attention.head_dim)  # (n, heads, 1, d)
        key = _heads(attention.k_proj(normed), attention.head_dim)  # (n, kv heads, t, d)
        value = _heads(attention.v_proj(normed), attention.head_dim)
        cos, sin = rotary
        query, _ = apply_rotary_pos_emb(query, query, cos[0, positions][:, None], sin[0, positions][:, None])
        _, key = apply_rotary_pos_emb(key, key, cos, sin)
        is_past = torch.arange(hidden.shape[1])[None] <= positions[:, None]  # (n, t)
        seen = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=is_past[:, None, None], enable_gqa=True
        )
        picked = hidden[rows, positions] + attention.o_proj(seen.flatten(1))
        picked = picked + layer.mlp(layer.post_attention_layernorm(picked))
        normal: Tensor = self.backbone.norm(picked)
        return normal


def _attention(width: int) -> AbstractContextManager[None]:
    """Compute the attention of short texts by plain products: the fused kernel's backward pass costs more there."""
    return sdpa_kernel(SDPBackend.MATH) if width <= _SHORT_TOKENS else nullcontext()


def _heads(states: Tensor, head_dim: int) -> Tensor:
    """Reshape (n, t, heads x d) to (n, heads, t, d)."""
    return states.reshape(*states.shape[:2], -1, head_dim).transpose(1, 2)


def small_backbone(vocabulary_size: int, *, hidden: int = 192, layers: int = 4) -> LlamaConfig:
    """Describe the tiny Llama: 4 layers of 192, heads of 32, Llama-3's rope theta, 4,096 positions."""
    return LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(2, hidden // _HEAD_WIDTH),
        num_key_value_heads=2,
        max_position_embeddings=4_096,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        use_cache=False,
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=None,
    )
