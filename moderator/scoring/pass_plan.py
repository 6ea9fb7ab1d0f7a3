"""What the next pass computes: interactive texts first, then the stream's; pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from moderator.scoring.packing import MAX_TEXTS, Text, next_pack

INTERACTIVE_SHARE = 2
"""While texts of the stream wait, interactive ones take one part in so many of a pass."""


class Guests(Protocol):
    """Interactive texts, ready for a pass."""

    @property
    def came_lately(self) -> bool:
        """See `InteractiveTexts`."""
        ...

    def take(self, most_tokens: int) -> list[Text]:
        """Remove the next ones; see `InteractiveTexts`."""
        ...


class PlannedPass(NamedTuple):
    """What one pass computes.

    Attributes:
        texts: n >= 1, the interactive ones first.
        guests: the interactive ones of them, before equal texts of the stream joined them.
        own_texts: how many of the stream's texts are in it.
        own_tokens: of the stream's texts that are no guest's too.
        is_awaited: interactive texts come in, so that somebody waits for this pass or the next.
    """

    texts: Sequence[Text]
    guests: Sequence[Text]
    own_texts: int
    own_tokens: int
    is_awaited: bool = False

    @property
    def tokens(self) -> int:
        """All that are computed."""
        return sum(len(text.token_ids) for text in self.texts)


class PassPlan:
    """Divides the stream's texts into passes, and lets interactive ones in.

    Args:
        texts: the stream's, in order; n >= 0.
        guests: None where nobody else waits.
        is_padded: every text counts as many tokens as the longest of its pass.
    """

    def __init__(self, texts: Sequence[Text], guests: Guests | None, *, is_padded: bool) -> None:
        self._texts = texts
        self._lengths = [len(text.token_ids) for text in texts]
        self._start = 0
        self._guests = guests
        self._is_padded = is_padded
        self._held: list[Text] = []
        self._alone: list[Text] = []
        self._owes_stream = False

    def next(self, budget_tokens: int, short_tokens: Callable[[], int] | None = None) -> PlannedPass | None:
        """Plan the next pass; None when nothing waits.

        Args:
            budget_tokens: most tokens of a pass; a single longer text makes one by itself.
            short_tokens: gives how many tokens a pass holds before texts of the stream make it longer than people
                should wait; asked while interactive texts come in. None: there is no such limit.
        """
        if self._alone:
            return self._planned([self._alone.pop(0)], 0)
        has_own = self._start < len(self._texts)
        is_awaited = self._guests is not None and self._guests.came_lately
        own_budget = min(budget_tokens, short_tokens()) if is_awaited and short_tokens else budget_tokens
        guests = self._next_guests(budget_tokens, has_own=has_own)
        if guests:
            return self._shared(guests, budget_tokens, own_budget)._replace(is_awaited=is_awaited)
        return self._of_the_stream(own_budget)._replace(is_awaited=is_awaited) if has_own else None

    def put_back(self, planned: PlannedPass) -> None:
        """Plan what is in this pass, the last one planned, once more: it did not fit into memory."""
        self._start -= planned.own_texts
        self._held = [*planned.guests, *self._held]

    def isolate(self, planned: PlannedPass) -> None:
        """Plan each interactive text of this pass, the last one planned, alone, and the stream's without them."""
        self._start -= planned.own_texts
        self._alone += planned.guests

    def _next_guests(self, budget_tokens: int, *, has_own: bool) -> list[Text]:
        if self._owes_stream and has_own:
            self._owes_stream = False
            return []
        if self._held:
            held, self._held = self._held, []
            return held
        if self._guests is None:
            return []
        return self._guests.take(budget_tokens // INTERACTIVE_SHARE if has_own else budget_tokens)

    def _shared(self, guests: list[Text], budget_tokens: int, own_budget: int) -> PlannedPass:
        offered = [*guests, *self._texts[self._start : self._start + MAX_TEXTS]]
        lengths = [len(text.token_ids) for text in offered]
        # a short pass grows with its guests, or few of them would fit and all others wait; the stream keeps its share
        most = max(own_budget, INTERACTIVE_SHARE * sum(lengths[: len(guests)]))
        count = next_pack(lengths, 0, min(budget_tokens, most), is_padded=self._is_padded).stop
        self._held = guests[count:]
        own_texts = max(0, count - len(guests))
        # a text as long as a pass leaves no room for the stream's: these have the next pass to themselves
        self._owes_stream = own_texts == 0 and self._start < len(self._texts)
        return self._planned(guests[:count], own_texts)

    def _of_the_stream(self, budget_tokens: int) -> PlannedPass:
        span = next_pack(self._lengths, self._start, budget_tokens, is_padded=self._is_padded)
        return self._planned([], len(span))

    def _planned(self, guests: Sequence[Text], own_texts: int) -> PlannedPass:
        own = self._texts[self._start : self._start + own_texts]
        self._start += own_texts
        if not guests:
            return PlannedPass(own, (), own_texts, sum(self._lengths[self._start - own_texts : self._start]))
        texts = _joined([*guests, *own])
        own_tokens = sum(len(text.token_ids) for text in texts[len(guests) :])
        return PlannedPass(texts, guests, own_texts, own_tokens)


def _joined(texts: Sequence[Text]) -> list[Text]:
    """Let equal texts share one, in the place of the first."""
    joined: dict[tuple[int, ...], Text] = {}
    for text in texts:
        key = tuple(text.token_ids)
        first = joined.get(key)
        joined[key] = text if first is None else first._replace(reads=first.reads + text.reads)
    return list(joined.values())
