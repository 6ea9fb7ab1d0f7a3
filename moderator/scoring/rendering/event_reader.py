"""What the model reads of an event: which turns, and the judged message whole or in passages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final, NamedTuple

from moderator.events import Cut, Turn
from moderator.scoring.rendering.content import readable, without_surrogates
from moderator.scoring.rendering.passages import Stretch, at_space, borders_of, from_beginning, from_end
from moderator.scoring.rendering.renderer import Renderer, Rendering
from moderator.scoring.rendering.visible import positions

_SYSTEM: Final = ("system", "developer")
_CONTEXT_SHARE: Final = 4
"""Turns before a message that is read in passages take at most this part of the input."""
_SMALLER: Final = 64
"""A passage that its template's text makes too long for the input becomes smaller by this part and a token."""
_TURN_TOKENS: Final = 8
"""What a chat template adds to a turn, at most, in most templates."""
_MOST_OF_A_CHARACTER: Final = 40
"""A normaliser may write one character as eighteen, of which each may be several tokens."""


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """How much of an event is read at once.

    Attributes:
        passage_tokens: a judged message with more tokens of its own is read in passages; None: one that does not fit
            into the input.
        max_passages: of one message; 1: it is read once, head and tail where it does not fit.
        message_turns, reply_turns: turns that are read before a message, and before an assistant's reply; system turns
            do not count, and with 0 they are not read either. None: all.
    """

    passage_tokens: int | None = None
    max_passages: int = 8
    message_turns: int | None = None
    reply_turns: int | None = None


WHOLE: Final = ReadingLimits(max_passages=1)
"""Every event is read at once."""


class RenderedPassage(NamedTuple):
    """One passage as token ids, and the code points of the message as sent that it holds."""

    rendering: Rendering
    start: int
    end: int


class RenderedEvent(NamedTuple):
    """An event as token ids; without passages where the judged message has no visible text."""

    passages: tuple[RenderedPassage, ...]
    cut: Cut
    removed: int


class _Plan(NamedTuple):
    """What is to be rendered of one event.

    Attributes:
        judged: the last turn, as sent.
        seen: what a reader sees of it.
        removed: how many characters were removed.
        context: the turns before it.
        is_shortened: older turns were left out, so that every passage has the same.
        size: most tokens of a passage's own text; None: the message is read at once.
        stretches: of `seen`.
    """

    judged: Turn
    seen: str
    removed: int
    context: Sequence[Turn]
    is_shortened: bool
    size: int | None
    stretches: Sequence[Stretch]

    @property
    def conversations(self) -> Iterator[list[Turn]]:
        """Each passage as an event of its own."""
        for start, end in self.stretches:
            yield [*self.context, Turn(self.judged.role, self.seen[start:end])]


class EventReader:
    """Turns events' conversations into renderings, for one renderer. One thread owns it."""

    def __init__(self, renderer: Renderer, limits: ReadingLimits) -> None:
        self._renderer = renderer
        self._limits = limits
        self._room = self._room_after([], Turn("user", ""))
        self._size = min(limits.passage_tokens or self._room, self._room)

    def read(self, conversations: Sequence[Sequence[Turn]]) -> list[RenderedEvent]:
        """Render each event, in the order given; never fails on content.

        Args:
            conversations: n >= 0 of at least one turn each; the last is judged.
        """
        plans = dict(enumerate(self._plans(conversations)))
        done: dict[int, RenderedEvent] = {}
        while plans:
            renderings = iter(self._renderer.render([turns for plan in plans.values() for turns in plan.conversations]))
            rendered = {at: list(islice(renderings, len(plan.stretches))) for at, plan in plans.items()}
            # where a template's own text joins the message's, its tokens are known only now
            again = [at for at, each in rendered.items() if self._must_divide(plans[at], each)]
            done |= {at: _finished(plans[at], each) for at, each in rendered.items() if at not in again}
            plans = {at: self._divided(plans[at]) for at in again}
        return [done[at] for at in range(len(conversations))]

    def _plans(self, conversations: Sequence[Sequence[Turn]]) -> Iterator[_Plan]:
        seen = [readable(conversation[-1].content) for conversation in conversations]
        long = self._long([text for text, _ in seen])
        for conversation, (text, removed), is_long in zip(conversations, seen, long, strict=True):
            stretches = [(0, len(text))] if text else []
            plan = _Plan(conversation[-1], text, removed, self._context(conversation), False, None, stretches)
            yield self._divided(plan) if is_long else plan

    def _long(self, texts: Sequence[str]) -> list[bool]:
        """Tell which messages have so many tokens of their own that they are read in passages."""
        if self._limits.max_passages == 1:
            return [False] * len(texts)
        long = [len(text) * (1 if text.isascii() else _MOST_OF_A_CHARACTER) > self._size for text in texts]
        measured = self._renderer.content.have_more(
            [text for text, is_long in zip(texts, long, strict=True) if is_long], self._size
        )
        return [is_long and next(measured) for is_long in long]

    def _context(self, conversation: Sequence[Turn]) -> Sequence[Turn]:
        """Give the turns before the judged one that may be read."""
        *context, judged = conversation
        turns = self._limits.reply_turns if judged.role == "assistant" else self._limits.message_turns
        if turns is None and self._renderer.reads_context:
            return context
        if not turns or not self._renderer.reads_context:
            return []
        counted = [at for at, turn in enumerate(context) if turn.role not in _SYSTEM]
        return [turn for at, turn in enumerate(context) if turn.role in _SYSTEM or at in counted[-turns:]]

    def _must_divide(self, plan: _Plan, renderings: Sequence[Rendering]) -> bool:
        may = self._limits.max_passages > 1 and plan.size != 1
        return may and any(rendering.cut == "message" for rendering in renderings)

    def _divided(self, plan: _Plan) -> _Plan:
        """Divide the message into passages; smaller ones where it was divided before."""
        if plan.size is not None:
            size = plan.size - plan.size // _SMALLER - 1
            return plan._replace(size=size, stretches=self._stretches(plan.seen, size))
        context = self._newest(plan.context)
        room = self._room_after(context, plan.judged)
        size = min(self._limits.passage_tokens or room, room)
        is_shortened = len(context) < len(plan.context)
        return plan._replace(
            context=context, is_shortened=is_shortened, size=size, stretches=self._stretches(plan.seen, size)
        )

    def _newest(self, context: Sequence[Turn]) -> list[Turn]:
        """Take the newest whole turns that fit into their part of the input."""
        room = self._renderer.max_tokens // _CONTEXT_SHARE
        taken: list[Turn] = []
        for turn in reversed(context):
            text = self._renderer.content.head(readable(turn.content).text, max(room, 1))
            room -= _TURN_TOKENS + len(next(self._renderer.content.encode([text])))
            if room < 0:
                break
            taken.append(turn)
        return taken[::-1]

    def _room_after(self, context: Sequence[Turn], judged: Turn) -> int:
        [without] = self._renderer.render([[*context, judged._replace(content="")]])
        return self._renderer.max_tokens - len(without.token_ids)

    def _stretches(self, text: str, size: int) -> list[Stretch]:
        """Find the passages of a message; what lies between those from its beginning and its end is not tokenized."""
        content, most = self._renderer.content, self._limits.max_passages
        head = content.head(text, most * size)
        borders = borders_of(head, content.spans(head))
        is_space = at_space(head, borders)
        laid = [(borders[start], borders[end]) for start, end in from_beginning(is_space, size, most)]
        if laid[-1][1] < len(text):
            laid = laid[: most - most // 2] + self._last(text, size, most // 2)
        stripped = [_stripped(text, *stretch) for stretch in laid]
        return [self._fitted(text, *stretch, size) for stretch in stripped if stretch[0] < stretch[1]]

    def _last(self, text: str, size: int, most: int) -> list[Stretch]:
        tail = self._renderer.content.tail(text, most * size)
        skipped = len(text) - len(tail)
        borders = borders_of(tail, self._renderer.content.spans(tail))
        laid = from_end(at_space(tail, borders), size, most)
        return [(skipped + borders[start], skipped + borders[end]) for start, end in laid]

    def _fitted(self, text: str, start: int, end: int, size: int) -> Stretch:
        """Shorten a passage that has more tokens alone than within the text: by less than it overlaps its neighbour."""
        while end - start > 1 and len(spans := self._renderer.content.spans(text[start:end])) > size:
            if end == len(text):
                start += max(1, spans[len(spans) - size][0])
            else:
                end = start + max(1, min(spans[size][0], end - start - 1))  # a character may be several tokens
        return start, end


def _finished(plan: _Plan, renderings: Sequence[Rendering]) -> RenderedEvent:
    if plan.size is None:
        whole = tuple(RenderedPassage(rendering, 0, len(plan.judged.content)) for rendering in renderings)
        return RenderedEvent(whole, renderings[0].cut if renderings else "nothing", plan.removed)
    gaps = (plan.seen[end:start] for (_, end), (start, _) in pairwise(plan.stretches))
    is_shortened = plan.is_shortened or any(rendering.cut == "context" for rendering in renderings)
    cut: Cut = "message" if any(gap.strip() for gap in gaps) else "context" if is_shortened else "nothing"
    return RenderedEvent(tuple(_located(plan, renderings)), cut, plan.removed)


def _located(plan: _Plan, renderings: Sequence[Rendering]) -> Iterator[RenderedPassage]:
    """Say where in the message as sent each passage is."""
    marks = sorted({place for start, end in plan.stretches for place in (start, end - 1)})
    sent = dict(zip(marks, positions(without_surrogates(plan.judged.content), plan.seen, marks), strict=True))
    for rendering, (start, end) in zip(renderings, plan.stretches, strict=True):
        yield RenderedPassage(rendering, sent[start], sent[end - 1] + 1)


def _stripped(text: str, start: int, end: int) -> Stretch:
    """Leave out the white space at the ends of a passage."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
