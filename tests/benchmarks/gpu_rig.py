"""What the GPU benchmark runs: a model of random weights made on the device, the ways to score with it, the stopwatch.

Needs torch and transformers alone, so that it also runs where the rest of the project is not installed.
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from transformers import LlamaModel
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.armorm.network import ArmoRMNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.location import Location
from moderator.scoring.packing import Layout, Text, filled, gather, plan_packs
from moderator.scoring.rendering.llama3 import Llama3Renderer
from tests.benchmarks.mix import Sample
from tests.models import tiny_armorm
from tests.models.tiny_tokenizers import armorm_tokenizer

PADDED_TEXTS = 32

Way = Callable[[Sequence[Sample]], torch.Tensor]
"""Gives (n, 2k) scores in the order given, on the device."""


class Size(NamedTuple):
    """Of a Llama backbone."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int

    @property
    def linears(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the seven linear layers: q, k, v, o, gate, up, down."""
        keys = self.hidden // self.heads * self.key_heads
        h, i = self.hidden, self.intermediate
        return [(h, h), (h, keys), (h, keys), (h, h), (h, i), (h, i), (i, h)]


ARMORM_8B = Size(4096, 14336, 32, 32, 8, 128256)
TINY = Size(64, 128, 2, 4, 2, 512)


@dataclass(frozen=True, slots=True)
class Rig:
    """One set of weights three times: eager, compiled, and under transformers' own attention."""

    size: Size
    eager: ArmoRM
    compiled: ArmoRM
    plain: LlamaModel
    budget_tokens: int

    @property
    def device(self) -> torch.device:
        return self.eager.device

    @property
    def dtype(self) -> torch.dtype:
        return self.eager.dtype

    def packed(self, armorm: ArmoRM, budget_tokens: int = 0, *, rows: int = 0, chains: bool = True) -> Way:
        """Score as the engine does; with `rows` every pack is filled up to them, as in its deterministic mode."""

        def way(samples: Sequence[Sample]) -> torch.Tensor:
            texts = gather(samples, Layout(shares_prefixes=chains))
            packs = plan_packs([len(text.token_ids) for text in texts], budget_tokens or self.budget_tokens)
            scores = [_forward(armorm, texts[pack.start : pack.stop], rows) for pack in packs]
            return torch.cat(scores)[_order(texts, self.device)]

        return way

    def by_length(self, samples: Sequence[Sample]) -> torch.Tensor:
        """Length-sorted, padded, no mask, under the packs' budget."""
        order = sorted(range(len(samples)), key=lambda at: len(samples[at].token_ids))
        ordered = [samples[at] for at in order]
        packs = plan_packs([len(sample.token_ids) for sample in ordered], self.budget_tokens, is_padded=True)
        scores = [self._plain_pass(ordered[pack.start : pack.stop], with_mask=False) for pack in packs]
        return torch.cat(scores)[torch.tensor(order, device=self.device).argsort()]

    def padded_32(self, samples: Sequence[Sample]) -> torch.Tensor:
        """Batches of 32 in order of arrival, padded to the longest, with a mask, as reward-bench does it."""
        starts = range(0, len(samples), PADDED_TEXTS)
        return torch.cat([self._plain_pass(samples[at : at + PADDED_TEXTS], with_mask=True) for at in starts])

    def one_by_one(self, samples: Sequence[Sample]) -> torch.Tensor:
        return torch.cat([self._plain_pass([sample], with_mask=False) for sample in samples])

    @torch.inference_mode()
    def _plain_pass(self, samples: Sequence[Sample], *, with_mask: bool) -> torch.Tensor:
        lengths = torch.tensor([len(sample.token_ids) for sample in samples], device=self.device)
        longest = max(len(sample.token_ids) for sample in samples)
        rows = [[*sample.token_ids, *[0] * (longest - len(sample.token_ids))] for sample in samples]
        mask = (torch.arange(longest, device=self.device) < lengths[:, None]).long() if with_mask else None
        ids = torch.tensor(rows, device=self.device)
        hidden = self.plain(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        at = torch.arange(len(samples), device=self.device)
        gates = torch.tensor([sample.gate_row for sample in samples], device=self.device)
        output = self.eager.network.read_out(hidden[at, gates], hidden[at, lengths - 1])
        return torch.cat((output.rewards, output.weights), dim=1)

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, run: Callable[[], object]) -> float:
        """Wall-clock seconds of a call and of all that it left the device to do."""
        self.synchronize()
        started_s = time.perf_counter()
        run()
        self.synchronize()
        return time.perf_counter() - started_s


def a_rig(size: Size, device: torch.device, dtype: torch.dtype, budget_tokens: int) -> Rig:
    """Make random weights on the device."""
    config = _config(size)
    eager = _random_model(config, device, dtype)
    compiled = _shared(ArmoRMNetwork, config, eager)
    backbone = copy.deepcopy(config.backbone)
    backbone._attn_implementation = "sdpa"
    with torch.device("meta"):
        plain = LlamaModel(backbone)
    plain.load_state_dict(eager.model.state_dict(), assign=True)
    plain.rotary_emb = eager.model.rotary_emb
    rig = Rig(size, _armorm(eager, config), _armorm(compiled, config), plain.requires_grad_(False), budget_tokens)
    rig.compiled.compile()
    return rig


def _config(size: Size) -> ArmoRMConfig:
    return ArmoRMConfig.from_fields(
        tiny_armorm.fields(
            hidden_size=size.hidden,
            intermediate_size=size.intermediate,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            num_key_value_heads=size.key_heads,
            vocab_size=size.vocabulary,
            gating_hidden_dim=1024,
        )
    )


def _random_model(config: ArmoRMConfig, device: torch.device, dtype: torch.dtype) -> ArmoRMNetwork:
    with torch.device("meta"):
        model = ArmoRMNetwork(config)
    nn.Module.to(model.model, dtype)
    model.to_empty(device=device)
    model.model.rotary_emb = LlamaRotaryEmbedding(config.backbone).to(device)
    torch.manual_seed(1)
    for name, parameter in model.requires_grad_(requires_grad=False).named_parameters():
        nn.init.ones_(parameter) if "norm" in name else nn.init.normal_(parameter, std=0.02)
    return model


def _shared(
    kind: Callable[[ArmoRMConfig], ArmoRMNetwork], config: ArmoRMConfig, weights: ArmoRMNetwork
) -> ArmoRMNetwork:
    with torch.device("meta"):
        model = kind(config)
    model.load_state_dict(weights.state_dict(), assign=True)
    model.model.rotary_emb = weights.model.rotary_emb
    return model.requires_grad_(requires_grad=False)


def _armorm(model: ArmoRMNetwork, config: ArmoRMConfig) -> ArmoRM:
    renderer = Llama3Renderer(armorm_tokenizer(), 4_096)
    return ArmoRM(model, renderer, config, Location(Path(), "random"), "sha256:" + "0" * 64)


def _forward(armorm: ArmoRM, pack: list[Text], rows: int) -> torch.Tensor:
    if not rows:
        return armorm.forward(pack)
    return armorm.forward(filled(pack, rows, armorm.renderer.max_tokens))[: sum(len(text.reads) for text in pack)]


def _order(texts: Sequence[Text], device: torch.device) -> torch.Tensor:
    return torch.tensor([read.prompt for text in texts for read in text.reads], device=device).argsort()
