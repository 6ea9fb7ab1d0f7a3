"""DeBERTa v2 and v3 from their published formulas, one text at a time, in float64, from the checkpoint's own names.

A score of attention is the content's own, plus what the content of one token says to the relative position of the
other, both ways. Relative positions are exact when they are near, and in buckets that grow with the distance when far.
"""

import math
from pathlib import Path
from typing import Any

import torch

from tests.models.slow_decoder import Tensors, checkpoint


def logits(folder: Path, token_ids: list[int]) -> list[float]:
    """Give what the head gives for one text."""
    fields, tensors = checkpoint(folder)
    first = _Encoder(fields, tensors).states(token_ids)[0]
    pooled = _gelu(_linear(tensors, "pooler.dense", first))
    given: list[float] = _linear(tensors, "classifier", pooled).tolist()
    return given


class _Encoder:
    def __init__(self, fields: dict[str, Any], tensors: Tensors) -> None:
        self.fields = fields
        self.tensors = {
            name.removeprefix("deberta."): each for name, each in tensors.items() if name.startswith("deberta.")
        }
        self.heads = fields["num_attention_heads"]
        self.buckets: int = fields["position_buckets"]
        furthest = fields["max_relative_positions"]
        self.furthest: int = furthest if furthest > 0 else fields["max_position_embeddings"]
        self.span: int = self.buckets if self.buckets > 0 else self.furthest

    def states(self, token_ids: list[int]) -> torch.Tensor:
        hidden = self.tensors["embeddings.word_embeddings.weight"][token_ids]  # (t, hidden)
        if self.fields["position_biased_input"]:
            hidden = hidden + self.tensors["embeddings.position_embeddings.weight"][: len(token_ids)]
        if self.fields["type_vocab_size"]:
            hidden = hidden + self.tensors["embeddings.token_type_embeddings.weight"][0]
        hidden = self._norm("embeddings.LayerNorm", hidden)
        for number in range(self.fields["num_hidden_layers"]):
            layer = f"encoder.layer.{number}."
            attended = _linear(self.tensors, f"{layer}attention.output.dense", self._attention(layer, hidden))
            hidden = self._norm(f"{layer}attention.output.LayerNorm", attended + hidden)
            inner = _gelu(_linear(self.tensors, f"{layer}intermediate.dense", hidden))
            fed = _linear(self.tensors, f"{layer}output.dense", inner)
            hidden = self._norm(f"{layer}output.LayerNorm", fed + hidden)
        return hidden

    def _attention(self, layer: str, hidden: torch.Tensor) -> torch.Tensor:
        part = f"{layer}attention.self."
        query, key, value = (self._by_head(f"{part}{name}_proj", hidden) for name in ("query", "key", "value"))
        relative = self.tensors["encoder.rel_embeddings.weight"]
        if self.fields["norm_rel_ebd"] == "layer_norm":
            relative = self._norm("encoder.LayerNorm", relative)
        own = "" if self.fields["share_att_key"] else "pos_"
        where_key = self._by_head(f"{part}{own}key_proj", relative) if "c2p" in self._kinds else None
        where_query = self._by_head(f"{part}{own}query_proj", relative) if "p2c" in self._kinds else None
        scale = math.sqrt(query.shape[-1] * (1 + len(self._kinds)))
        out = torch.zeros_like(query)  # (t, heads, width)
        for at in range(len(hidden)):
            places = [self._place(at - other) for other in range(len(hidden))]
            for head in range(self.heads):
                scores = key[:, head] @ query[at, head]  # (t,)
                if where_key is not None:
                    scores = scores + where_key[places, head] @ query[at, head]
                if where_query is not None:
                    scores = scores + (where_query[places, head] * key[:, head]).sum(-1)
                out[at, head] = (scores / scale).softmax(0) @ value[:, head]
        return out.flatten(1)

    @property
    def _kinds(self) -> list[str]:
        kinds = self.fields["pos_att_type"]
        return kinds.split("|") if isinstance(kinds, str) else list(kinds)

    def _place(self, distance: int) -> int:
        """Give the row of the table of relative positions."""
        return max(0, min(2 * self.span - 1, self._bucket(distance) + self.span))

    def _bucket(self, distance: int) -> int:
        middle = self.buckets // 2
        if self.buckets <= 0 or abs(distance) <= middle:
            return distance
        share = math.log(abs(distance) / middle) / math.log((self.furthest - 1) / middle)
        bucket = math.ceil(share * (middle - 1)) + middle
        return bucket if distance > 0 else -bucket

    def _by_head(self, name: str, states: torch.Tensor) -> torch.Tensor:
        return _linear(self.tensors, name, states).view(len(states), self.heads, -1)

    def _norm(self, name: str, states: torch.Tensor) -> torch.Tensor:
        centred = states - states.mean(-1, keepdim=True)
        normed = centred / (centred.square().mean(-1, keepdim=True) + self.fields["layer_norm_eps"]).sqrt()
        scaled: torch.Tensor = normed * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]
        return scaled


def _linear(tensors: Tensors, name: str, states: torch.Tensor) -> torch.Tensor:
    return states @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def _gelu(values: torch.Tensor) -> torch.Tensor:
    return values * 0.5 * (1 + torch.erf(values / math.sqrt(2)))
