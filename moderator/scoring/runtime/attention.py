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
_LOGIT_BYTES: Final = 256_000_000
"""Of a text whose logits are capped, at once."""
_BYTES_A_LOGIT: Final = 8
"""A logit and its share, both in float32."""


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
    softcap: float | None = None,
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
        softcap: no logit is larger, see `capped_attention`; None: they are as they are.
        dropout: for training.
        cu_seqlens: (n + 1,) int32: the start of each text, and t.
        max_len: tokens of the longest text.

    Returns:
        (b, t, heads, d), and None for the weights.
    """
    if cu_seqlens is not None and max_len is not None:
        q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))  # (t, heads, d)
        attention = packed_attention if torch.compiler.is_compiling() else _packed_attention
        return attention(q, k, v, cu_seqlens, max_len, scaling, softcap or 0.0)[None], None
    if softcap is None:
        plain, _weights = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling
        )
        return plain, None
    texts = [capped_attention(*each, scaling, softcap) for each in zip(query, key, value, strict=True)]
    return torch.stack(texts).transpose(1, 2), None


def _packed_attention(  # noqa: PLR0917 - the op's schema is positional
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    max_len: int,
    scaling: float,
    softcap: float = 0.0,
) -> torch.Tensor:
    """Attend causally within each of n packed texts; inference only.

    Args:
        query: (t, heads, d).
        key: (t, key heads, d), key heads dividing heads.
        value: as `key`.
        cu_seqlens: (n + 1,) int32 on the same device: 0, the end of each text.
        max_len: tokens of the longest text.
        scaling: factor for the logits.
        softcap: no logit is larger; 0: they are as they are.

    Returns:
        (t, heads, d), contiguous.
    """
    width = query.shape[-1]
    is_of_flash = query.dtype in {torch.bfloat16, torch.float16} and width % 8 == 0 and width <= _WIDEST_FLASH_HEAD
    if query.is_cuda and is_of_flash and not softcap:
        return _flash(query, key, value, cu_seqlens, max_len, scaling)
    return _by_segment(query, key, value, cu_seqlens, scaling, softcap)


packed_attention = torch.library.custom_op("moderator::packed_attention", _packed_attention, mutates_args=())
"""The same as one step of a compiled graph; called by itself it only costs more."""


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


def _by_segment(  # noqa: PLR0917 - as the op
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seqlens: torch.Tensor,
    scaling: float,
    softcap: float,
) -> torch.Tensor:
    out = query.new_empty(query.shape)
    bounds = cu_seqlens.tolist()
    for start, end in pairwise(bounds):
        q, k, v = (tensor[start:end].transpose(0, 1) for tensor in (query, key, value))  # (heads, len, d)
        text = capped_attention(q, k, v, scaling, softcap) if softcap else _causal(q, k, v, scaling)
        out[start:end] = text.transpose(0, 1)
    return out


def _causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
    q, k, v = query[None], key[None], value[None]
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=True)[0]


def capped_attention(  # noqa: PLR0917 - as the op
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    softcap: float,
    most_bytes: int = _LOGIT_BYTES,
) -> torch.Tensor:
    """Attend causally within one text, each logit z as softcap * tanh(z / softcap), in float32.

    No fused kernel of torch caps logits, so they are computed, in blocks of rows.

    Args:
        query: (heads, t, d).
        key: (key heads, t, d), key heads dividing heads.
        value: as `key`.
        scaling: factor for the logits, before they are capped.
        softcap: above 0.
        most_bytes: of the logits of a block, unless one row has more.

    Returns:
        (heads, t, d) in the dtype of `query`.
    """
    _, length, width = query.shape
    grouped = query.reshape(key.shape[0], -1, length, width)  # (key heads, heads of each, t, d)
    keys, values = key.float()[:, None], value.float()[:, None]
    out = torch.empty_like(grouped)
    block = rows_at_once(query.shape[0], length, most_bytes)
    for start in range(0, length, block):
        end = min(start + block, length)
        logits = grouped[:, :, start:end].float() @ keys[:, :, :end].mT  # (key heads, heads of each, rows, end)
        logits.mul_(scaling / softcap).tanh_().mul_(softcap)
        later = torch.ones(end - start, end, dtype=torch.bool, device=query.device).triu(start + 1)
        logits.masked_fill_(later, -torch.inf)
        out[:, :, start:end] = (logits.softmax(-1) @ values[:, :, :end]).to(query.dtype)
    return out.flatten(0, 1)


def rows_at_once(heads: int, length: int, most_bytes: int = _LOGIT_BYTES) -> int:
    """Count the rows of a text whose logits take at most so many bytes; at least one."""
    return max(1, most_bytes // (_BYTES_A_LOGIT * heads * length))
