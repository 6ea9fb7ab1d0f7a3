import pytest
import torch

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.runtime.attention import capped_attention, flash_options, packed_attention, rows_at_once

LENGTHS = [5, 1, 9]


def tensors(heads: int, key_heads: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(7)
    shapes = [(sum(LENGTHS), count, 8) for count in (heads, key_heads, key_heads)]
    return tuple(torch.randn(shape, dtype=dtype) for shape in shapes)


def ends() -> torch.Tensor:
    return torch.tensor([0, 5, 6, 15], dtype=torch.int32)


def by_hand(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float, cap: float = 0.0
) -> torch.Tensor:
    """Each token over those of its own text up to itself, head by head."""
    out = torch.zeros_like(query)
    start = 0
    for length in LENGTHS:
        for at in range(start, start + length):
            for head in range(query.shape[1]):
                shared = head * key.shape[1] // query.shape[1]
                logits = key[start : at + 1, shared] @ query[at, head] * scaling
                weights = torch.softmax(cap * torch.tanh(logits / cap) if cap else logits, dim=0)
                out[at, head] = weights @ value[start : at + 1, shared]
        start += length
    return out


@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (4, 1)])
def test_each_token_attends_to_its_own_text_up_to_itself(heads: int, key_heads: int) -> None:
    query, key, value = tensors(heads, key_heads)

    out = packed_attention(query, key, value, ends(), 9, 0.3)

    torch.testing.assert_close(out, by_hand(query, key, value, 0.3), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (4, 1)])
def test_logits_may_be_capped(heads: int, key_heads: int) -> None:
    query, key, value = tensors(heads, key_heads)

    out = packed_attention(query, key, value, ends(), 9, 0.9, 0.7)

    torch.testing.assert_close(out, by_hand(query, key, value, 0.9, 0.7), atol=1e-6, rtol=0)
    assert (out - by_hand(query, key, value, 0.9)).abs().max() > 0.1


@pytest.mark.parametrize("rows", [1, 2, 4, 7])
def test_capped_logits_are_computed_in_blocks_of_rows_as_they_would_be_at_once(rows: int) -> None:
    query, key, value = (each.transpose(0, 1) for each in tensors(4, 2))  # (heads, t, d)

    out = capped_attention(query, key, value, 0.9, 0.7, most_bytes=rows * 8 * 4 * 15)

    assert rows_at_once(4, 15, rows * 8 * 4 * 15) == rows
    torch.testing.assert_close(out, capped_attention(query, key, value, 0.9, 0.7), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("heads", "length"), [(8, 4_096), (32, 4_096), (16, 8_192), (8, 100_000)])
def test_the_logits_of_a_text_never_need_more_than_256_megabytes(heads: int, length: int) -> None:
    both_bytes = 2 * 4 * heads * rows_at_once(heads, length) * length

    assert 128e6 < both_bytes <= 256e6


def test_a_cap_is_computed_in_float32_whatever_the_dtype() -> None:
    query, key, value = tensors(4, 2, torch.bfloat16)

    out = packed_attention(query, key, value, ends(), 9, 0.9, 0.7)

    assert out.dtype == torch.bfloat16
    expected = by_hand(query.float(), key.float(), value.float(), 0.9, 0.7)
    torch.testing.assert_close(out.float(), expected, atol=4e-3, rtol=4e-3)


@pytest.mark.parametrize(
    ("release", "is_rocm", "names", "options"),
    [
        ("2.11.0+cu128", False, [], {}),
        ("2.12.0", False, ["enable_gqa", "num_splits"], {"enable_gqa": True}),
        ("2.13.0a0+git1", False, ["enable_gqa", "num_splits"], {"enable_gqa": True, "num_splits": 1}),
        ("2.15.0+cu132", False, ["enable_gqa", "num_splits"], {"enable_gqa": True, "num_splits": 1}),
        ("2.15.0+rocm7", True, ["enable_gqa", "num_splits"], {"enable_gqa": True}),
    ],
)
def test_flash_attention_gets_the_options_that_its_release_of_torch_accepts(
    release: str,
    is_rocm: bool,  # noqa: FBT001
    names: list[str],
    options: dict[str, int],
) -> None:
    assert flash_options(names, release, is_rocm=is_rocm) == options


def packed(armorm: ArmoRM, texts: list[list[int]], **arguments: object) -> torch.Tensor:
    """The backbone's final hidden states of texts that lie end to end."""
    bounds = [0]
    for text in texts:
        bounds.append(bounds[-1] + len(text))
    with torch.inference_mode():
        hidden: torch.Tensor = armorm.network.model(
            input_ids=torch.tensor([[token for text in texts for token in text]]),
            position_ids=torch.tensor([[at for text in texts for at in range(len(text))]]),
            cu_seqlens=torch.tensor(bounds, dtype=torch.int32),
            max_len=max(map(len, texts)),
            **arguments,
        ).last_hidden_state[0]
    return hidden


TEXT = [3, 14, 15, 92, 65]


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_neighbours_text_changes_nothing(armorm: ArmoRM, use_cache: bool) -> None:  # noqa: FBT001
    alone = packed(armorm, [TEXT], use_cache=False)

    for neighbour in ([1, 2, 3], [200] * 40, TEXT):
        before = packed(armorm, [neighbour, TEXT], use_cache=use_cache)[-len(TEXT) :]
        after = packed(armorm, [TEXT, neighbour], use_cache=use_cache)[: len(TEXT)]
        torch.testing.assert_close(before, alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(after, alone, atol=1e-5, rtol=0)


def test_the_order_of_tokens_within_a_text_matters(armorm: ArmoRM) -> None:
    one, other = packed(armorm, [TEXT])[-1], packed(armorm, [[14, 3, 15, 92, 65]])[-1]

    assert (one - other).abs().max() > 1e-3
