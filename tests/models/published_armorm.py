"""The published formulas: the reference for ArmoRM's scores."""

from typing import cast

import torch
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

from moderator.scoring.armorm.network import ArmoRMOutput
from tests.models import tiny_armorm

Chat = list[dict[str, str]]


def chat(*turns: str) -> Chat:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(turns)]


CHATS = [
    chat("How do I reset my password?", "Open Settings, then Security."),
    chat("hi", ""),
    chat("Who are you?", "A bot. " * 60),
    [{"role": "system", "content": "Be kind."}, *chat("a", "b", "c", "d", "e", "f")],
    chat("one", "two", "three"),
    *[chat(f"question {number}", "answer " * (number % 7)) for number in range(30)],
]


def reference(weights: dict[str, torch.Tensor], token_ids: list[int], pattern: list[int]) -> list[torch.Tensor]:
    """The published formulas, one text at a time, on a plain LlamaModel: rewards, gating, weights, overall."""
    fields = tiny_armorm.fields(vocab_size=weights["model.embed_tokens.weight"].shape[0], pad_token_id=None)
    backbone = LlamaModel(LlamaConfig.from_dict(fields, attn_implementation="eager"))
    backbone.load_state_dict(
        {name.removeprefix("model."): tensor.float() for name, tensor in weights.items() if name.startswith("model.")}
    )
    with torch.no_grad():
        hidden = backbone(torch.tensor([token_ids])).last_hidden_state[0]
    gate_row = max(at for at in range(len(token_ids)) if token_ids[at : at + len(pattern)] == pattern)
    rewards = weights["regression_layer.weight"] @ hidden[-1]
    gate = hidden[gate_row]
    for layer in range(4):
        gate = weights[f"gating.layers.{layer}.weight"] @ gate + weights[f"gating.layers.{layer}.bias"]
        gate = torch.relu(gate) if layer < 3 else gate
    gating = torch.softmax(gate / 10, dim=0) * weights["gating.logit_scale"][0]
    transform = weights["reward_transform_matrix"]
    return [rewards, gating, transform @ gating, (gating * (rewards @ transform)).sum()]


def templated(tokenizer: PreTrainedTokenizerFast, turns: Chat) -> list[int]:
    return cast("list[int]", tokenizer.apply_chat_template(turns, return_dict=False))


def assert_scores_equal(output: ArmoRMOutput, expected: list[list[torch.Tensor]], tolerance: float = 1e-5) -> None:
    for at, row in enumerate(expected):
        for got, wanted in zip(output, row, strict=True):
            torch.testing.assert_close(got[at], wanted, atol=tolerance, rtol=0)
