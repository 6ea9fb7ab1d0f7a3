"""Texts to tensors: the input of one forward pass, packed end to end or padded."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch

from moderator.scoring.packing import Layout, Text


class Pass(NamedTuple):
    """The tensors of n texts with m read-outs; (b, t) is (1, all tokens) if packed, (n, the longest) if padded.

    Attributes:
        input_ids: (b, t), padded on the right.
        position_ids: (b, t), from 0 in each text; those of padding have no meaning.
        cu_seqlens: (n + 1,) int32: 0, the end of each text as if packed, so its differences are the lengths.
        max_len: tokens of the longest text, or more.
        gate_rows: (m,), row of each read-out's gate, an index into all b x t rows.
        last_rows: (m,), each read-out's last token, likewise.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    cu_seqlens: torch.Tensor
    max_len: int
    gate_rows: torch.Tensor
    last_rows: torch.Tensor


def lay_out(texts: Sequence[Text], layout: Layout, device: torch.device, padding: int = 0) -> Pass:
    """Make the tensors of n >= 1 texts, on the device or being copied to it."""
    lengths = [len(text.token_ids) for text in texts]
    longest = max(lengths)
    ends = [0, *accumulate(lengths)]
    starts: Sequence[int] = ends
    rows, positions = (
        [[token for text in texts for token in text.token_ids]],
        [at for each in lengths for at in range(each)],
    )
    if layout.is_padded:
        starts = range(0, len(texts) * longest, longest)
        rows = [[*text.token_ids, *[padding] * (longest - len(text.token_ids))] for text in texts]
        positions = list(range(longest)) * len(texts)
    reads = [(start, read) for start, text in zip(starts, texts, strict=False) for read in text.reads]
    return Pass(
        input_ids=to_device(rows, device),
        position_ids=to_device(positions, device).view(len(rows), -1),
        cu_seqlens=to_device(ends, device, torch.int32),
        max_len=_power_of_two(longest),
        gate_rows=to_device([start + read.gate_row for start, read in reads], device),
        last_rows=to_device([start + read.last_row for start, read in reads], device),
    )


def to_device(values: Sequence[object], device: torch.device, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """Make a tensor on the device."""
    is_cuda = device.type == "cuda"  # only pinned memory is copied without waiting for earlier passes
    return torch.tensor(values, dtype=dtype, pin_memory=is_cuda).to(device, non_blocking=is_cuda)


def _power_of_two(number: int) -> int:
    """Round up: the kernel uses it only to size its grid, and compiled layers get fewer different numbers."""
    return 1 << (number - 1).bit_length()
