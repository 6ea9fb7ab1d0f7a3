"""Attention over texts packed end to end, without padding and without a mask.

`LlamaModel` passes `cu_seqlens` and `max_len` on to the attention function registered here. Without them the function
is transformers' own causal SDPA, which training uses: the packed op has no backward pass.
"""

import inspect
from collections.abc import Container
from itertools import pairwise
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

IMPLEMENTATION: Final = "moderator_packed"
"""The name for `config._attn_implementation`."""

_WIDEST_FLASH_HEAD: Final = 256


def register() -> None:
    """Register `IMPLEMENTATION` with transformers; a second call does no harm."""
    AttentionInterface.register(IMPLEMENTATION, attend)


def flash_options(accepted: Container[str], release: str, *, is_rocm: bool) -> dict[str, Any]:
    """Choose the options of `varlen_attn`: allow unequal head counts, do not split keys.

    Args:
        accepted: names of its parameters; before torch 2.12 it neither has nor needs a flag for unequal head counts.
        release: of torch, such as `2.15.0+cu132`.
        is_rocm: torch was built for AMD devices.
    """
    gqa = {"enable_gqa": True} if "enable_gqa" in accepted else {}
    major, minor, *_ = release.split(".")
    # one split makes a text's result independent of its neighbours' lengths; 2.12 has the parameter, but refuses it
    # without flash attention 3
    takes_splits = (int(major), int(minor)) >= (2, 13) and not is_rocm
    return {**gqa, "num_splits": 1} if takes_splits else gqa


_OPTIONS: Final = flash_options(
    inspect.signature(varlen_attn).parameters, torch.__version__, is_rocm=torch.version.hip is not None
)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    cu_seqlens: torch.Tensor | None = None,
    max_len: int | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attend within each text: packed if `cu_seqlens` is given, otherwise plain causal SDPA per row.

    Args:
        module: the attention layer that calls.
        query: (b, heads, t, d); b = 1 when packed.
        key: (b, key heads, t, d); so is `value`.
        value: see `key`.
        attention_mask: None, because no mask is registered for this implementation.
        scaling: factor for the logits.
        dropout: for training.
        cu_seqlens: (n + 1,) int32: the start of each text, and t.
        max_len: tokens of the longest text.

    Returns:
        (b, t, heads, d), and None for the weights.
    """
    if cu_seqlens is None or max_len is None:
        plain, _weights = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling
        )
        return plain, None
    rows = (tensor[0].transpose(0, 1) for tensor in (query, key, value))  # (t, heads, d)
    return packed_attention(*rows, cu_seqlens, max_len, scaling)[None], None


@torch.library.custom_op("moderator::packed_attention", mutates_args=())
def packed_attention(  # noqa: PLR0917 - the op's schema is positional
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, cu_seqlens: torch.Tensor, max_len: int, scaling: float
) -> torch.Tensor:
    """Attend causally within each of n packed texts; inference only.

    Args:
        query: (t, heads, d).
        key: (t, key heads, d), key heads dividing heads.
        value: as `key`.
        cu_seqlens: (n + 1,) int32 on the same device: 0, the end of each text.
        max_len: tokens of the longest text.
        scaling: factor for the logits.

    Returns:
        (t, heads, d), contiguous.
    """
    width = query.shape[-1]
    is_of_flash = query.dtype in {torch.bfloat16, torch.float16} and width % 8 == 0 and width <= _WIDEST_FLASH_HEAD
    if query.is_cuda and is_of_flash:
        return _flash(query, key, value, cu_seqlens, max_len, scaling)
    return _by_segment(query, key, value, cu_seqlens, scaling)


@packed_attention.register_fake
def _(query: torch.Tensor, *_: object) -> torch.Tensor:
    return query.new_empty(query.shape)


def _flash(  # noqa: PLR0917 - as the op
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, cu_seqlens: torch.Tensor, max_len: int, scaling: float
) -> torch.Tensor:
    # cu_seqlens is one tensor object for queries and keys; on some devices varlen_attn would otherwise choose cuDNN
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        out = varlen_attn(
            query,
            key,
            value,
            cu_seqlens,
            cu_seqlens,
            max_len,
            max_len,
            scale=scaling,
            window_size=(-1, 0),
            **_OPTIONS,
        )
    assert isinstance(out, torch.Tensor)
    return out.contiguous()


def _by_segment(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, cu_seqlens: torch.Tensor, scaling: float
) -> torch.Tensor:
    out = query.new_empty(query.shape)
    bounds = cu_seqlens.tolist()
    for start, end in pairwise(bounds):
        q, k, v = (tensor[start:end].transpose(0, 1)[None] for tensor in (query, key, value))  # (1, heads, len, d)
        text = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=True)
        out[start:end] = text[0].transpose(0, 1)
    return out
