"""How much to score at once, so that a window takes some seconds, whatever the model, the device and the texts."""

TARGET_S = 5.0
"""Longer gains nothing and hurts: decisions wait for it, health looks for it, and a drain must not outlast it."""
FIRST_TOKENS = 1_024
_GROWTH = 4


class AdaptiveWindowLimit:
    """Learns from each window how many guessed tokens the next may hold.

    A guess may be many times too low, as for texts in scripts that the tokenizer hardly knows: so it begins small and
    grows by steps.

    Args:
        most_tokens: never more.

    Attributes:
        tokens: what the next window may hold.
    """

    def __init__(self, most_tokens: int) -> None:
        self._most_tokens = most_tokens
        self.tokens = min(FIRST_TOKENS, most_tokens)

    def observe(self, tokens: int, elapsed_s: float) -> None:
        """Learn from a window.

        Args:
            tokens: guessed, of what was scored and not looked up.
            elapsed_s: what that took.
        """
        if not tokens:
            return
        fitting = int(tokens * TARGET_S / max(elapsed_s, 1e-9))
        if elapsed_s > TARGET_S:
            self.tokens = max(1, min(self.tokens, fitting))
        else:  # what little there was to score may be no measure of much
            self.tokens = max(self.tokens, min(self._most_tokens, fitting, _GROWTH * self.tokens))
