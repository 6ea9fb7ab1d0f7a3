"""Conversations that are too long, with Llama-3's own tokenizer."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from moderator.scoring.armorm.armorm import open_armorm
from moderator.scoring.checkpoint.location import locate
from moderator.scoring.rendering.content import readable
from moderator.scoring.rendering.framing import OPENER, frame
from moderator.scoring.rendering.llama3 import Llama3Renderer
from tests.models.llama3 import GATE_PATTERN
from tests.models.llama3_renderings import (
    EOT,
    alternating,
    naive_gate_row,
    render_one,
    templated,
    text_of,
    turns_in,
)

pytestmark = pytest.mark.xdist_group("tokenizer of Llama 3")


@pytest.fixture(scope="module")
def renderer(llama3_renderer: Llama3Renderer) -> Llama3Renderer:
    return llama3_renderer


@pytest.fixture(scope="module")
def small(llama3_tokenizer: PreTrainedTokenizerFast) -> Llama3Renderer:
    return Llama3Renderer(llama3_tokenizer, 128)


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    speaker=st.integers(0, 1),
    word=st.sampled_from(["x ", "\u00e9! ", "<| ", "x" + " " * 100]),
)
def test_at_any_length_the_limit_holds_and_the_gate_stays(
    small: Llama3Renderer, llama3_tokenizer: PreTrainedTokenizerFast, sizes: list[int], speaker: int, word: str
) -> None:
    framed = frame([(("user", "assistant")[(at + speaker) % 2], word * size) for at, size in enumerate(sizes)])

    rendering = render_one(small, framed)

    whole = templated(llama3_tokenizer, [(role, readable(content).text) for role, content in framed])
    assert len(rendering.token_ids) <= 128
    assert rendering.token_ids[0] == 128000
    assert rendering.gate_row == naive_gate_row(rendering.token_ids, GATE_PATTERN)
    assert (rendering.cut != "nothing") == (len(whole) > 128)
    assert rendering.cut != "nothing" or list(rendering.token_ids) == whole


def split_turns(token_ids: Sequence[int]) -> list[tuple[int, ...]]:
    """Each turn with its header and its end."""
    ends = [at + 1 for at, token in enumerate(token_ids) if token == EOT]
    assert ends[-1] == len(token_ids)
    return [tuple(token_ids[start:end]) for start, end in pairwise([1, *ends])]


@settings(max_examples=60)
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=12), speaker=st.integers(0, 1))
def test_what_stays_are_the_last_turns_whole_and_only_the_judged_one_may_be_cut(
    small: Llama3Renderer, llama3_tokenizer: PreTrainedTokenizerFast, sizes: list[int], speaker: int
) -> None:
    framed = frame([(("user", "assistant")[(at + speaker) % 2], "x " * size) for at, size in enumerate(sizes)])
    *whole, judged = split_turns(templated(llama3_tokenizer, framed))
    opener = split_turns(templated(llama3_tokenizer, [OPENER]))[0]

    *context, reply = split_turns(render_one(small, framed).token_ids)

    own = context[1:] if context and context[0] == opener else context
    assert own == whole[len(whole) - len(own) :]
    assert reply == judged or len(judged) > 128 - 1 - len(opener)
    assert reply[: len(GATE_PATTERN) - 1] == tuple(GATE_PATTERN[1:])


def test_the_oldest_turns_go_first(small: Llama3Renderer, llama3_tokenizer: PreTrainedTokenizerFast) -> None:
    conversation = alternating(40, "lorem ipsum")

    rendering = render_one(small, conversation)

    kept = turns_in(small, rendering)
    newest = templated(llama3_tokenizer, conversation[-kept:])
    assert rendering.cut != "nothing"
    assert 5 < kept < 40
    assert list(rendering.token_ids) == newest


def test_a_growing_conversation_keeps_its_first_turn_for_several_turns(small: Llama3Renderer) -> None:
    conversations = [alternating(turns, "lorem ipsum") for turns in range(20, 80, 2)]

    renderings = small.render_as_given(conversations)

    firsts = [rendering.token_ids[:12] for rendering in renderings]
    changes = sum(before != after for before, after in pairwise(firsts))
    assert changes <= len(conversations) // 2
    assert all(len(rendering.token_ids) > 64 for rendering in renderings)


def test_the_turn_before_the_judged_one_is_kept_where_it_fits(small: Llama3Renderer) -> None:
    for turns in range(4, 40, 2):
        conversation = [*alternating(turns - 2, "filler text"), ("user", "The question"), ("assistant", "word " * 70)]

        rendering = render_one(small, conversation)

        assert (rendering.cut != "nothing") == (turns_in(small, rendering) < turns)
        assert turns_in(small, rendering) >= 2
        assert "The question" in text_of(small, rendering)


def test_a_conversation_cut_to_a_reply_is_opened(small: Llama3Renderer) -> None:
    conversation = [("system", "s " * 50), ("user", "q " * 100), ("assistant", "a " * 90)]

    rendering = render_one(small, conversation)

    assert text_of(small, rendering).startswith(
        f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{OPENER[1]}"
    )
    assert turns_in(small, rendering) == 2


@pytest.mark.parametrize("words", [200, 2_000, 100_000])
def test_a_judged_message_too_long_by_itself_keeps_head_and_tail(small: Llama3Renderer, words: int) -> None:
    long = "The head of it. " + "middle " * words + " The tail of it."

    rendering = render_one(small, frame([("user", "hi"), ("assistant", long)]))

    text = text_of(small, rendering)
    assert rendering.cut != "nothing"
    assert len(rendering.token_ids) == 128
    assert "\n\nThe head of it. middle" in text
    assert text.endswith("middle The tail of it.<|eot_id|>")


NOTHING = {"llama3": "=" * 8_000, "builtin": "\u200d" * 17_000}
"""Much text of few tokens: Llama-3 has one for many equals signs, and joiners are not read."""


@pytest.fixture(params=NOTHING)
def padded(request: pytest.FixtureRequest, renderer: Llama3Renderer) -> tuple[Llama3Renderer, str]:
    """A renderer, and what much can be hidden behind."""
    if request.param == "llama3":
        return renderer, NOTHING["llama3"]
    builtin = open_armorm(locate("builtin")).renderer
    assert isinstance(builtin, Llama3Renderer)
    return builtin, NOTHING["builtin"]


def test_a_judged_message_is_read_whole_where_its_tokens_fit(padded: tuple[Llama3Renderer, str]) -> None:
    renderer, nothing = padded
    judged = f"nice day{nothing}i will kill you{nothing}bye"

    rendering = render_one(renderer, frame([("user", judged)]))

    assert rendering.cut == "nothing"
    assert len(rendering.token_ids) < 500
    assert "i will kill you" in text_of(renderer, rendering)


def test_older_turns_are_read_whole_where_their_tokens_fit(padded: tuple[Llama3Renderer, str]) -> None:
    renderer, nothing = padded
    older = [f"i will {number} you{nothing}{nothing}bye" for number in range(10)]
    conversations = [frame([("user", text) for text in [*older[:turns], "ok?"]]) for turns in (10, 0, 3)]

    renderings = renderer.render_as_given(conversations)

    for turns, rendering in zip((10, 0, 3), renderings, strict=True):
        text = text_of(renderer, rendering)
        assert rendering.cut == "nothing"
        assert [number for number in range(10) if f"i will {number} you" in text] == list(range(turns))


def test_turns_are_dropped_only_if_their_tokens_do_not_fit(small: Llama3Renderer) -> None:
    conversation = frame([("user", "hi"), ("user", "word " * 200), ("user", f"a{'=' * 2_000}z"), ("user", "ok?")])

    rendering = render_one(small, conversation)

    text = text_of(small, rendering)
    assert rendering.cut != "nothing"
    assert f"a{'=' * 2_000}z" in text
    assert "word" not in text
    assert "\n\nhi" not in text


def test_a_batch_of_messages_of_a_quarter_megabyte_each_renders(small: Llama3Renderer) -> None:
    conversations = [frame([("user", f"{number}{' word' * 2**16} end")]) for number in range(3)]

    renderings = small.render_as_given(conversations)

    assert [len(rendering.token_ids) for rendering in renderings] == [128] * 3
    for number, rendering in enumerate(renderings):
        assert f"\n\n{number} " in text_of(small, rendering)
        assert text_of(small, rendering).endswith(" end<|eot_id|>")


def test_a_very_long_conversation_renders(renderer: Llama3Renderer) -> None:
    conversation = [(("user", "assistant")[at % 2], "some words here " * 1600) for at in range(400)]  # 10 MB

    rendering = render_one(renderer, conversation)

    assert rendering.cut != "nothing"
    assert len(rendering.token_ids) <= 4096


def test_many_short_turns_render(renderer: Llama3Renderer) -> None:
    rendering = render_one(renderer, alternating(20_000, ""))

    assert rendering.cut != "nothing"
    assert 2048 < len(rendering.token_ids) <= 4096


@pytest.mark.parametrize(
    ("reply", "later"),
    [("word " * 500, 1), ("word " * 500, 0), ("word " * 100_000, 1), ("word ", 100), ("word ", 2_000), ("", 2_000)],
)
def test_of_a_reply_and_unframed_turns_after_it_that_do_not_fit_head_and_tail_stay(
    small: Llama3Renderer, reply: str, later: int
) -> None:
    turns = [("user", f"question {at}") for at in range(later)]

    rendering = render_one(
        small, [("user", "hi"), ("assistant", f"Head {reply}"), *turns, ("user", "word " * 500 + "tail")]
    )

    text = text_of(small, rendering)
    assert rendering.cut != "nothing"
    assert len(rendering.token_ids) == 128
    assert rendering.gate_row == naive_gate_row(rendering.token_ids, GATE_PATTERN)
    assert "assistant<|end_header_id|>\n\nHead" in text
    assert text.endswith(" tail<|eot_id|>")
