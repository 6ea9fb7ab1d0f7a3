"""What the model reads of an event: which turns, and the judged message whole or in passages."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from moderator.events import Cut, Turn
from moderator.scoring.rendering.content import LONGEST_SPAN, readable, without_surrogates
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


DEFAULT_LIMITS: Final = ReadingLimits()
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


@dataclass(slots=True)
class _Plan:
    """What is to be rendered of one event.

    Attributes:
        judged: the last turn, as sent.
        seen: what a reader sees of it.
        text: the same as the renderer writes it, character by character.
        removed: how many characters were removed.
        context: the turns before it.
        stretches: of `text`, a passage each.
        is_shortened: older turns were left out, so that every passage has the same.
        most_tokens: of a passage's rendering; None: the message is read at once.
    """

    judged: Turn
    seen: str
    text: str
    removed: int
    context: Sequence[Turn]
    stretches: list[Stretch]
    is_shortened: bool = False
    most_tokens: int | None = None

    def conversation(self, passage: int) -> list[Turn]:
        """Give a passage as an event of its own."""
        start, end = self.stretches[passage]
        return [*self.context, Turn(self.judged.role, self.text[start:end])]


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
        plans = self._plans(conversations)
        done: dict[tuple[int, int], Rendering] = {}
        pending = [(at, passage) for at, plan in enumerate(plans) for passage in range(len(plan.stretches))]
        while pending:
            renderings = self._renderer.render([plans[at].conversation(passage) for at, passage in pending])
            again: list[tuple[int, int]] = []
            for (at, passage), rendering in zip(pending, renderings, strict=True):
                if not self._is_too_long(plans[at], passage, rendering):
                    done[at, passage] = rendering
                elif plans[at].most_tokens is None:
                    self._divide(plans[at])
                    again += [(at, each) for each in range(len(plans[at].stretches))]
                else:
                    again += [(at, each) for each in self._shorten(plans[at], passage, rendering)]
            pending = again
        return [
            _finished(plan, [done[at, passage] for passage in range(len(plan.stretches))])
            for at, plan in enumerate(plans)
        ]

    def _plans(self, conversations: Sequence[Sequence[Turn]]) -> list[_Plan]:
        seen = [readable(conversation[-1].content) for conversation in conversations]
        plans = [
            _Plan(turns[-1], text, self._renderer.disarmed(text), removed, self._context(turns), _whole(text))
            for turns, (text, removed) in zip(conversations, seen, strict=True)
        ]
        for plan in self._long(plans):
            self._divide(plan)
        return plans

    def _long(self, plans: Sequence[_Plan]) -> list[_Plan]:
        """Give those whose messages have so many tokens of their own that they are read in passages."""
        if self._limits.max_passages == 1:
            return []
        perhaps = [
            plan for plan in plans if len(plan.text) * (1 if plan.text.isascii() else _MOST_OF_A_CHARACTER) > self._size
        ]
        are_long = self._renderer.content.have_more([plan.text for plan in perhaps], self._size, longest=LONGEST_SPAN)
        return [plan for plan, is_long in zip(perhaps, are_long, strict=True) if is_long]

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

    def _is_too_long(self, plan: _Plan, passage: int, rendering: Rendering) -> bool:
        """Whether a rendering lacks some of its text, or has more tokens alone than its text had in the message."""
        if self._limits.max_passages == 1:
            return False
        start, end = plan.stretches[passage]
        is_longer = plan.most_tokens is not None and rendering.longest > plan.most_tokens
        return end - start > 1 and (is_longer or rendering.cut == "message")

    def _divide(self, plan: _Plan) -> None:
        """Divide the message into passages, all with the same turns before them."""
        context = self._newest(plan.context)
        room = self._room_after(context, plan.judged)
        size = min(self._limits.passage_tokens or room, room)
        plan.is_shortened = len(context) < len(plan.context)
        plan.context = context
        plan.most_tokens = self._renderer.max_tokens - room + size
        plan.stretches = self._stretches(plan.text, size)

    def _newest(self, context: Sequence[Turn]) -> list[Turn]:
        """Take the newest whole turns that fit into their part of the input."""
        room = self._renderer.max_tokens // _CONTEXT_SHARE
        taken: list[Turn] = []
        for turn in reversed(context):
            room -= _TURN_TOKENS + len(self._spans(self._renderer.disarmed(readable(turn.content).text), room))
            if room < 0:
                break
            taken.append(turn)
        return taken[::-1]

    def _room_after(self, context: Sequence[Turn], judged: Turn) -> int:
        [without] = self._renderer.render([[*context, judged._replace(content="")]])
        return self._renderer.max_tokens - without.longest

    def _stretches(self, text: str, size: int) -> list[Stretch]:
        """Find the passages of a message; what lies between those from its beginning and its end is not tokenized."""
        content, most = self._renderer.content, self._limits.max_passages
        first, last = most - most // 2, most // 2
        spans = self._spans(text, first * size)
        last_spans = spans if spans[-1][1] == len(text) else content.last_spans(text, last * size, longest=LONGEST_SPAN)
        if spans[-1][1] >= last_spans[0][0]:
            spans = last_spans = spans if spans is last_spans else self._spans(text)
            laid = _placed(text, spans, from_beginning, size, most)
            if laid and laid[-1][1] == len(text):
                return laid
        beginning = _placed(text[: spans[-1][1]], spans, from_beginning, size, first)
        return beginning + _placed(text, last_spans, from_end, size, last)

    def _spans(self, text: str, more_than: int | None = None) -> list[Stretch]:
        """Find the tokens of a text; long ones count as several, so that no passage is much longer than others.

        What stands before the first token has none, but is read with it.
        """
        spans = self._renderer.content.spans(text, more_than, longest=LONGEST_SPAN)
        return [(0, spans[0][1]), *spans[1:]] if spans else []

    def _shorten(self, plan: _Plan, passage: int, rendering: Rendering) -> Sequence[int]:
        """Take some tokens from a passage; return which passages have changed.

        That of a whole message becomes two: one lacks some of the end, and one some of the beginning.
        """
        changed = [passage]
        if len(plan.stretches) == 1:
            plan.stretches *= 2
            changed = [0, 1]
        for each in changed:
            plan.stretches[each] = self._shortened(plan, each, rendering)
        return changed

    def _shortened(self, plan: _Plan, passage: int, rendering: Rendering) -> Stretch:
        """Take fewer tokens than passages share; from the last its first ones, from others their last."""
        start, end = plan.stretches[passage]
        spans = self._spans(plan.text[start:end])
        excess = rendering.longest - (plan.most_tokens or 0)
        excess = min(max(excess, len(spans) // _SMALLER, 1), len(spans) - 1)
        if passage == len(plan.stretches) - 1:
            start += max(1, spans[excess][0])
        else:
            end -= max(1, end - start - spans[-excess][0])
        return start, max(end, start + 1)


def _whole(text: str) -> list[Stretch]:
    return [(0, len(text))] if text else []


def _placed(
    text: str,
    spans: Sequence[Stretch],
    lay: Callable[[Sequence[bool], int, int], list[Stretch]],
    size: int,
    most: int,
) -> list[Stretch]:
    """Lay passages over some tokens of a text; give their places in it, without white space at their ends."""
    borders = borders_of(spans, len(text))
    laid = lay(at_space(text, borders), size, most)
    stripped = [_stripped(text, borders[start], borders[end]) for start, end in laid]
    return [(start, end) for start, end in stripped if start < end]


def _finished(plan: _Plan, renderings: Sequence[Rendering]) -> RenderedEvent:
    if plan.most_tokens is None:
        whole = tuple(RenderedPassage(rendering, 0, len(plan.judged.content)) for rendering in renderings)
        return RenderedEvent(whole, renderings[0].cut if renderings else "nothing", plan.removed)
    is_shortened = plan.is_shortened or any(rendering.cut == "context" for rendering in renderings)
    lacks_some = _is_any_unread(plan) or any(rendering.cut == "message" for rendering in renderings)
    cut: Cut = "message" if lacks_some else "context" if is_shortened else "nothing"
    return RenderedEvent(tuple(_located(plan, renderings)), cut, plan.removed)


def _is_any_unread(plan: _Plan) -> bool:
    """Whether no passage holds some of the message, other than white space."""
    ends = [0, *(end for _, end in plan.stretches)]
    starts = [*(start for start, _ in plan.stretches), len(plan.text)]
    return any(plan.text[end:start].strip() for end, start in zip(ends, starts, strict=True))


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
