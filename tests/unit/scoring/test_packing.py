from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from moderator.scoring.packing import MAX_TEXTS, plan_packs

lengths_of_texts = st.lists(st.integers(min_value=1, max_value=3000), max_size=200)


@given(lengths=lengths_of_texts, budget=st.integers(1, 4096))
def test_every_text_is_packed_once_and_in_order(lengths: list[int], budget: int) -> None:
    packs = plan_packs(lengths, budget)

    assert list(chain.from_iterable(packs)) == list(range(len(lengths)))
    assert all(packs)


@given(lengths=lengths_of_texts, budget=st.integers(1, 4096))
def test_only_a_single_longer_text_exceeds_the_budget(lengths: list[int], budget: int) -> None:
    packs = plan_packs(lengths, budget)

    assert all(sum(lengths[at] for at in pack) <= budget or len(pack) == 1 for pack in packs)
    assert all(len(pack) <= MAX_TEXTS for pack in packs)


@given(lengths=lengths_of_texts, budget=st.integers(1, 4096))
def test_a_pack_ends_only_where_the_next_text_does_not_fit(lengths: list[int], budget: int) -> None:
    packs = plan_packs(lengths, budget)

    for pack, following in pairwise(packs):
        assert len(pack) == MAX_TEXTS or sum(lengths[at] for at in pack) + lengths[following.start] > budget


def test_no_texts_are_no_packs() -> None:
    assert plan_packs([], 8192) == []
