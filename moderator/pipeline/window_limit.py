"""How much to score at once, so that a window takes a few seconds with any model, device and texts."""

TARGET_S = 5.0
"""Longer gains nothing and does harm: decisions wait, health sees no progress, and a drain takes too long."""
FIRST_TOKENS = 1_024
_GROWTH = 4


class AdaptiveWindowLimit:
    """Learns from each window how many estimated tokens the next may hold.

    An estimate may be many times too low, as for texts in scripts that the tokenizer hardly knows: so the limit starts
    small and grows in steps.

    Args:
        most_tokens: the limit never exceeds it.

    Attributes:
        tokens: what the next window may hold, estimated.
    """

    def __init__(self, most_tokens: int) -> None:
        self._most_tokens = most_tokens
        self.tokens = min(FIRST_TOKENS, most_tokens)

    def observe(self, tokens: int, elapsed_s: float) -> None:
        """Learn from a window.

        Args:
            tokens: estimated, of what was scored and not found in the cache.
            elapsed_s: how long that took.
        """
        if not tokens:
            return
        fitting = int(tokens * TARGET_S / max(elapsed_s, 1e-9))
        if elapsed_s > TARGET_S:
            self.tokens = max(1, min(self.tokens, fitting))
        else:  # a small window may be a poor measure for a large one
            self.tokens = max(self.tokens, min(self._most_tokens, fitting, _GROWTH * self.tokens))
