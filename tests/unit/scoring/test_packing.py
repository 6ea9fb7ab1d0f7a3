from itertools import chain, pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.scoring.packing import MAX_TEXTS, Layout, Read, Text, filled, gather, next_pack, plan_packs

lengths_of_texts = st.lists(st.integers(min_value=1, max_value=3000), max_size=200)


class Sample(NamedTuple):
    token_ids: tuple[int, ...]
    gate_row: int


def a_sample(length: int, number: int) -> Sample:
    """Take as many of a number's ternary digits as token ids."""
    return Sample(tuple(number // 3**at % 3 for at in range(length)), length // 2)


# few different tokens, so that equal prompts and prefixes are common
samples = st.lists(st.builds(a_sample, st.integers(1, 8), st.integers(0, 3**8 - 1)), max_size=30)
layouts = st.builds(Layout, st.booleans(), st.booleans())


@given(lengths=lengths_of_texts, budget=st.integers(1, 4096), is_padded=st.booleans())
def test_every_text_is_packed_once_and_in_order(lengths: list[int], budget: int, is_padded: bool) -> None:  # noqa: FBT001
    packs = plan_packs(lengths, budget, is_padded=is_padded)

    assert list(chain.from_iterable(packs)) == list(range(len(lengths)))
    assert all(packs)


@given(lengths=lengths_of_texts, budget=st.integers(1, 4096))
def test_only_a_single_longer_text_exceeds_the_budget(lengths: list[int], budget: int) -> None:
    end_to_end = plan_packs(lengths, budget)
    padded = plan_packs(lengths, budget, is_padded=True)

    assert all(sum(lengths[at] for at in pack) <= budget or len(pack) == 1 for pack in end_to_end)
    assert all(max(lengths[at] for at in pack) * len(pack) <= budget or len(pack) == 1 for pack in padded)


@given(lengths=lengths_of_texts, budget=st.integers(1, 4096))
def test_a_pack_ends_only_where_the_next_text_does_not_fit(lengths: list[int], budget: int) -> None:
    packs = plan_packs(lengths, budget)

    for pack, following in pairwise(packs):
        assert sum(lengths[at] for at in pack) + lengths[following.start] > budget


def test_a_pack_holds_no_more_than_1024_texts() -> None:
    assert next_pack([1] * 3000, 5, 8192) == range(5, 5 + MAX_TEXTS)


def test_no_texts_are_no_packs() -> None:
    assert plan_packs([], 8192) == []


@given(prompts=samples, layout=layouts)
def test_every_prompt_is_read_once_at_its_own_rows_of_its_own_tokens(prompts: list[Sample], layout: Layout) -> None:
    texts = gather(prompts, layout)

    assert sorted(read.prompt for text in texts for read in text.reads) == list(range(len(prompts)))
    for text in texts:
        for prompt, gate_row, last_row in text.reads:
            assert tuple(text.token_ids[: last_row + 1]) == prompts[prompt].token_ids
            assert gate_row == prompts[prompt].gate_row


@given(prompts=samples, is_padded=st.booleans())
def test_no_text_is_the_beginning_of_another(prompts: list[Sample], is_padded: bool) -> None:  # noqa: FBT001
    texts = [tuple(text.token_ids) for text in gather(prompts, Layout(is_padded=is_padded))]

    assert not any(
        other[: len(text)] == text for at, text in enumerate(texts) for other in texts[:at] + texts[at + 1 :]
    )


@given(prompts=samples)
def test_without_shared_prefixes_only_equal_prompts_share_a_text(prompts: list[Sample]) -> None:
    texts = gather(prompts, Layout(shares_prefixes=False))

    assert len(texts) == len({prompt.token_ids for prompt in prompts})


@given(prompts=samples)
def test_texts_come_in_the_order_of_their_first_prompts(prompts: list[Sample]) -> None:
    firsts = [text.reads[0].prompt for text in gather(prompts, Layout())]

    assert firsts == sorted(firsts)


@given(prompts=samples)
def test_texts_that_are_padded_come_by_length(prompts: list[Sample]) -> None:
    lengths = [len(text.token_ids) for text in gather(prompts, Layout(is_padded=True))]

    assert lengths == sorted(lengths)


def test_earlier_turns_are_read_in_the_latest() -> None:
    prompts = [Sample((1, 2), 0), Sample((1, 2, 3, 4), 2), Sample((9,), 0), Sample((1, 2, 3), 1)]

    texts = gather(prompts, Layout())

    assert texts == [
        Text((1, 2, 3, 4), (Read(0, 0, 1), Read(1, 2, 3), Read(3, 1, 2))),
        Text((9,), (Read(2, 0, 0),)),
    ]


@settings(max_examples=30)
@given(prompts=samples.filter(len), rows=st.integers(1, 40), longest=st.integers(8, 20))
def test_a_filled_pack_has_its_rows_and_whole_multiples_of_reads(
    prompts: list[Sample], rows: int, longest: int
) -> None:
    pack = gather(prompts, Layout(shares_prefixes=False))

    texts = filled(pack, rows, longest)

    tokens = sum(len(text.token_ids) for text in texts)
    assert tokens == max(rows, sum(len(text.token_ids) for text in pack))
    assert all(1 <= len(text.token_ids) <= longest for text in texts)
    reads = [read for text in texts for read in text.reads]
    assert len(reads) == MAX_TEXTS
    assert reads[: len(prompts)] == [read for text in pack for read in text.reads]
