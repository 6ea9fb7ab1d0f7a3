"""Which turns are read, and how a message that is too long is divided; with tokenizers of one token per byte."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.events import Role, Turn
from moderator.scoring.rendering.content import ContentEncoder, readable
from moderator.scoring.rendering.event_reader import EventReader, ReadingLimits, RenderedEvent
from moderator.scoring.rendering.llama3 import Llama3Renderer
from moderator.scoring.rendering.messages import MessageRenderer
from moderator.scoring.rendering.renderer import Renderer
from moderator.scoring.rendering.templates.rendering import TemplateRenderer
from tests.models.tiny_tokenizers import armorm_tokenizer, tokenizer_of

INPUT_TOKENS = 400
RENDERERS: dict[str, Renderer] = {
    "llama3": Llama3Renderer(armorm_tokenizer(), INPUT_TOKENS),
    "template": TemplateRenderer(tokenizer_of("qwen2"), INPUT_TOKENS),
    "message": MessageRenderer(tokenizer_of("roberta"), INPUT_TOKENS),
}
WORDS = " ".join(f"word{number}" for number in range(150))
"""About 1,000 bytes."""


@pytest.fixture(params=RENDERERS)
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return RENDERERS[request.param]


def read(renderer: Renderer, *turns: Turn, **limits: Any) -> RenderedEvent:
    [event] = EventReader(renderer, ReadingLimits(**limits)).read([turns])
    return event


def message(text: str, role: Role = "user") -> Turn:
    return Turn(role, text)


def parts(event: RenderedEvent, sent: str) -> list[str]:
    return [sent[passage.start : passage.end] for passage in event.passages]


def ids(event: RenderedEvent) -> list[Sequence[int]]:
    return [passage.rendering.token_ids for passage in event.passages]


def test_a_message_that_fits_is_one_passage_rendered_as_ever(renderer: Renderer) -> None:
    turns = [message("Hello."), message("Hi, how are you?", "assistant"), message("Fine.")]

    event = read(renderer, *turns)

    assert ids(event) == [renderer.render([turns])[0].token_ids]
    assert (event.cut, event.removed, parts(event, "Fine.")) == ("nothing", 0, ["Fine."])


def test_a_message_that_does_not_fit_is_read_whole_in_overlapping_passages(renderer: Renderer) -> None:
    event = read(renderer, message(WORDS))

    read_parts = parts(event, WORDS)
    assert event.cut == "nothing"
    assert len(event.passages) in (3, 4)
    assert all(len(each) <= INPUT_TOKENS for each in ids(event))
    assert read_parts[0].startswith("word0 ")
    assert read_parts[-1].endswith(" word149")
    assert all(before.end > after.start for before, after in pairwise(event.passages))
    assert set(" ".join(read_parts).split()) == set(WORDS.split())


def test_the_prompt_of_a_passage_is_that_of_an_event_whose_message_is_the_passage(renderer: Renderer) -> None:
    turns = [message("An answer", "assistant"), message(WORDS)]

    event = read(renderer, *turns)

    slices = [[turns[0], message(part)] for part in parts(event, WORDS)]
    assert ids(event) == [rendering.token_ids for rendering in renderer.render(slices)]


@pytest.mark.parametrize("size", [16, 48, 100])
def test_a_declared_size_divides_messages_that_would_fit(renderer: Renderer, size: int) -> None:
    text = WORDS[:200]

    event = read(renderer, message(text), passage_tokens=size, max_passages=64)

    assert event.cut == "nothing"
    assert len(event.passages) > 1
    assert all(len(next(renderer.content.encode([part]))) <= size for part in parts(event, text))
    assert set(" ".join(parts(event, text)).split()) >= set(text.split())


def test_of_a_message_of_too_many_passages_beginning_and_end_are_read(renderer: Renderer) -> None:
    text = f"begin {WORDS} {WORDS} end"

    event = read(renderer, message(text), passage_tokens=50, max_passages=5)

    assert event.cut == "message"
    assert len(event.passages) == 5
    gaps = [after.start - before.end for before, after in pairwise(event.passages)]
    assert [gap > 0 for gap in gaps] == [False, False, True, False]
    assert parts(event, text)[0].startswith("begin word0")
    assert parts(event, text)[-1].endswith("word149 end")


def test_one_passage_keeps_head_and_tail_of_what_does_not_fit(renderer: Renderer) -> None:
    event = read(renderer, message(WORDS), max_passages=1, passage_tokens=50)

    assert event.cut == "message"
    assert ids(event) == [renderer.render([[message(WORDS)]])[0].token_ids]


def test_a_message_without_visible_text_has_no_passage(renderer: Renderer) -> None:
    assert read(renderer, message("Hello."), message("\u200b\u2060 ")) == RenderedEvent((), "nothing", 2)


def test_passages_say_where_they_are_in_the_message_as_sent(renderer: Renderer) -> None:
    sent = f"  \u200b{WORDS.replace('word7', 'wo' + chr(0x200B) * 30 + 'rd7')}\n\n"

    event = read(renderer, message(sent))

    seen = [readable(part).text for part in parts(event, sent)]
    assert event.removed == 1 + 30 * WORDS.count("word7")
    assert seen[0].startswith("word0 ")
    assert seen[-1].endswith(" word149")
    slices = [[message(part)] for part in seen]
    assert ids(event) == [rendering.token_ids for rendering in renderer.render(slices)]


SYSTEM = message("Be kind.", "system")
TURNS = [SYSTEM, message("one"), message("two", "assistant"), message("three"), message("four", "assistant")]


@pytest.mark.parametrize(
    ("limits", "role", "kept"),
    [
        ({}, "user", TURNS),
        ({"message_turns": 0}, "user", []),
        ({"message_turns": 0}, "assistant", TURNS),
        ({"message_turns": 2}, "user", [SYSTEM, *TURNS[3:]]),
        ({"message_turns": 9}, "tool", TURNS),
        ({"reply_turns": 1}, "assistant", [SYSTEM, TURNS[4]]),
        ({"reply_turns": 0}, "assistant", []),
        ({"reply_turns": 1}, "user", TURNS),
    ],
)
@pytest.mark.parametrize("kind", ["llama3", "template"])
def test_only_so_many_turns_are_read_before_the_judged_one(
    kind: str, limits: dict[str, int], role: Role, kept: list[Turn]
) -> None:
    renderer, judged = RENDERERS[kind], message("judged", role)

    event = read(renderer, *TURNS, judged, **limits)

    assert ids(event) == [renderer.render([[*kept, judged]])[0].token_ids]
    assert event.cut == "nothing"


@pytest.mark.parametrize("kind", ["llama3", "template"])
def test_passages_share_the_newest_turns_within_a_quarter_of_the_input(kind: str) -> None:
    renderer = RENDERERS[kind]
    turns = [message("old " * 40), message("recent", "assistant"), message("newest")]

    event = read(renderer, *turns, message(WORDS))

    slices = [[*turns[1:], message(part)] for part in parts(event, WORDS)]
    assert ids(event) == [rendering.token_ids for rendering in renderer.render(slices)]
    assert event.cut == "context"


def test_older_turns_that_do_not_fit_before_a_short_message_are_left_out_as_ever() -> None:
    renderer = RENDERERS["llama3"]
    turns = [message(WORDS), message("and", "assistant"), message("hello")]

    event = read(renderer, *turns)

    assert event.cut == "context"
    assert ids(event) == [renderer.render([turns])[0].token_ids]


class CountingEncoder(ContentEncoder):
    """Counts the characters that are tokenized."""

    def __init__(self, content: ContentEncoder) -> None:
        self.__dict__.update(vars(content))
        self.characters = 0

    def encode(self, texts: Sequence[str]) -> Iterator[list[int]]:
        self.characters += sum(map(len, texts))
        return super().encode(texts)

    def _spans_of(self, piece: str, start: int, longest: int | None) -> list[tuple[int, int]]:
        self.characters += len(piece)
        return super()._spans_of(piece, start, longest)


def test_the_middle_that_no_passage_holds_is_never_tokenized() -> None:
    renderer = Llama3Renderer(armorm_tokenizer(), INPUT_TOKENS)
    renderer.content = counting = CountingEncoder(renderer.content)
    text = "beginning " * 50 + "middle " * 150_000 + "end " * 100

    event = read(renderer, message(text))

    assert event.cut == "message"
    assert len(event.passages) == 8
    assert counting.characters < len(text) / 10


words = st.sampled_from(["a", "you ", "\u200b", "\n\n", "\u4e00\u4e8c", "e\u0301", "=" * 40, "\ud83d", "x" * 30, " "])


@given(
    kind=st.sampled_from(sorted(RENDERERS)),
    text=st.lists(words, min_size=1, max_size=120).map("".join),
    size=st.sampled_from([None, 16, 40]),
    most=st.integers(1, 9),
    role=st.sampled_from(["user", "assistant"]),
)
def test_whatever_was_written_is_read_and_what_is_not_is_said(
    kind: str, text: str, size: int | None, most: int, role: Role
) -> None:
    renderer = RENDERERS[kind]

    event = read(renderer, message("before"), message(text, role), passage_tokens=size, max_passages=most)

    seen = readable(text).text
    assert len(event.passages) <= most
    assert all(0 < len(each) <= INPUT_TOKENS for each in ids(event))
    assert bool(event.passages) == bool(seen)
    assert all(0 <= passage.start < passage.end <= len(text) for passage in event.passages)
    if event.passages and event.cut != "message":
        covered = [character for passage in event.passages for character in range(passage.start, passage.end)]
        unread = "".join(each for at, each in enumerate(text) if at not in set(covered))
        assert readable(unread).text == ""
