"""How much to compute at once, so that it takes about a given time with any model, device and texts; pure."""

from typing import Final

_GROWTH: Final = 4


class AdaptiveLimit:
    """Learns from each window or pass how many tokens the next may hold.

    An estimate may be many times too low, as for texts in scripts that the tokenizer hardly knows: so the limit grows
    in steps.

    Args:
        most_tokens: the limit never exceeds it.
        target_s: how long one should take.
        first_tokens: the limit before anything was learned.

    Attributes:
        tokens: what the next one may hold.
    """

    def __init__(self, most_tokens: int, *, target_s: float, first_tokens: int) -> None:
        self._most_tokens = most_tokens
        self._target_s = target_s
        self.tokens = min(first_tokens, most_tokens)

    def observe(self, tokens: int, elapsed_s: float) -> None:
        """Learn from one that took `elapsed_s` for so many tokens."""
        if not tokens:
            return
        fitting = int(tokens * self._target_s / max(elapsed_s, 1e-9))
        if elapsed_s > self._target_s:
            self.tokens = max(1, min(self.tokens, fitting))
        else:  # a small one may be a poor measure for a large one
            self.tokens = max(self.tokens, min(self._most_tokens, fitting, _GROWTH * self.tokens))
