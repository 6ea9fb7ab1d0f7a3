"""Decoders from their published formulas: one text at a time, row by row where a fast way could be wrong.

Written for Llama, Granite and Gemma 2 from their papers and model cards, in float64, from the checkpoint's own names of
tensors and fields: neither moderator's attention nor transformers' classes have a part in it.
"""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

Tensors = dict[str, torch.Tensor]


@cache
def checkpoint(folder: Path) -> tuple[dict[str, Any], Tensors]:
    """Read config and tensors as they were written; tensors in float64."""
    fields = json.loads((folder / "config.json").read_text())
    return fields, {name: each.double() for name, each in load_file(folder / "model.safetensors").items()}


def last_hidden(folder: Path, token_ids: list[int], row: int = -1) -> torch.Tensor:
    """(hidden,): the final hidden state of one token, after the last norm."""
    fields, tensors = checkpoint(folder)
    weights = {name.removeprefix("model."): each for name, each in tensors.items() if name.startswith("model.")}
    return _Decoder(fields, weights).states(token_ids)[row]


class _Decoder:
    def __init__(self, fields: dict[str, Any], weights: Tensors) -> None:
        self.fields, self.weights = fields, weights
        self.is_gemma = fields["model_type"] == "gemma2"
        self.heads, self.key_heads = fields["num_attention_heads"], fields["num_key_value_heads"]
        self.width = fields.get("head_dim") or fields["hidden_size"] // self.heads
        scalar = fields.get("query_pre_attn_scalar", self.width)
        self.scale: float = fields.get("attention_multiplier", scalar**-0.5)
        self.residual: float = fields.get("residual_multiplier", 1.0)
        rope = fields.get("rope_parameters") or {}
        self.theta = rope.get("rope_theta", fields.get("rope_theta"))

    def states(self, token_ids: list[int]) -> torch.Tensor:
        hidden = self.weights["embed_tokens.weight"][token_ids]  # (t, hidden)
        hidden = hidden * (math.sqrt(self.fields["hidden_size"]) if self.is_gemma else 1.0)
        hidden = hidden * self.fields.get("embedding_multiplier", 1.0)
        for number in range(self.fields["num_hidden_layers"]):
            hidden = self._layer(f"layers.{number}.", hidden)
        return self._norm("norm", hidden)

    def _layer(self, layer: str, hidden: torch.Tensor) -> torch.Tensor:
        attended = self._attention(f"{layer}self_attn.", self._norm(f"{layer}input_layernorm", hidden))
        if self.is_gemma:
            hidden = hidden + self._norm(f"{layer}post_attention_layernorm", attended)
            fed = self._mlp(f"{layer}mlp.", self._norm(f"{layer}pre_feedforward_layernorm", hidden))
            return hidden + self._norm(f"{layer}post_feedforward_layernorm", fed)
        hidden = hidden + attended * self.residual
        fed = self._mlp(f"{layer}mlp.", self._norm(f"{layer}post_attention_layernorm", hidden))
        return hidden + fed * self.residual

    def _norm(self, name: str, hidden: torch.Tensor) -> torch.Tensor:
        weight = self.weights[f"{name}.weight"] + (1.0 if self.is_gemma else 0.0)
        mean = hidden.square().mean(-1, keepdim=True)
        normed: torch.Tensor = hidden / (mean + self.fields["rms_norm_eps"]).sqrt() * weight
        return normed

    def _attention(self, part: str, hidden: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            self._linear(f"{part}{name}_proj", hidden).view(len(hidden), -1, self.width) for name in "qkv"
        )
        query, key = self._rotated(query), self._rotated(key)
        out = torch.zeros_like(query)
        for at in range(len(hidden)):
            for head in range(self.heads):
                shared = head * self.key_heads // self.heads
                scores = self._capped(key[: at + 1, shared] @ query[at, head] * self.scale)  # (at + 1,)
                out[at, head] = scores.softmax(0) @ value[: at + 1, shared]
        return self._linear(f"{part}o_proj", out.flatten(1))

    def _rotated(self, vectors: torch.Tensor) -> torch.Tensor:
        """(t, heads, width), the first and the second half of each vector rotated by its position's angles."""
        first, second = vectors.chunk(2, dim=-1)
        speeds = [self.theta ** (-2 * pair / self.width) for pair in range(self.width // 2)]
        angles = torch.outer(torch.arange(len(vectors)).double(), torch.tensor(speeds).double())[:, None]
        cos, sin = angles.cos(), angles.sin()
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)

    def _capped(self, scores: torch.Tensor) -> torch.Tensor:
        cap = self.fields.get("attn_logit_softcapping")
        return cap * (scores / cap).tanh() if cap else scores

    def _mlp(self, part: str, hidden: torch.Tensor) -> torch.Tensor:
        gate, up = self._linear(f"{part}gate_proj", hidden), self._linear(f"{part}up_proj", hidden)
        if self.is_gemma:  # GeGLU, with the approximation by tanh
            cubic = math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)
            return self._linear(f"{part}down_proj", 0.5 * gate * (1 + cubic.tanh()) * up)
        return self._linear(f"{part}down_proj", gate / (1 + (-gate).exp()) * up)

    def _linear(self, name: str, hidden: torch.Tensor) -> torch.Tensor:
        return hidden @ self.weights[f"{name}.weight"].T
