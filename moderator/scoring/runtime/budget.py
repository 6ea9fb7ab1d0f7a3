"""How many tokens one forward pass takes: less once memory ran short, and slowly more again."""

from typing import Final

_PACKS_BEFORE_GROWTH: Final = 64
_STEPS_TO_FULL: Final = 8


class TokenBudget:
    """Tokens of a pack.

    What else holds the device's memory may let go of it, so a lowered budget recovers: by an eighth of the full one
    after every 64 packs in a row that fit.
    """

    def __init__(self, full_tokens: int) -> None:
        """Begin with `full_tokens`."""
        self._full_tokens = full_tokens
        self._fitted = 0
        self.tokens = full_tokens

    def halve(self, pack_tokens: int) -> None:
        """Allow half of a pack for which memory was short, and never more than before."""
        self.tokens = min(self.tokens, max(1, pack_tokens // 2))
        self._fitted = 0

    def count_fit(self) -> None:
        """Count a pack that fitted."""
        self._fitted += 1
        if self._fitted >= _PACKS_BEFORE_GROWTH:
            self._fitted = 0
            self.tokens = min(self._full_tokens, self.tokens + max(1, self._full_tokens // _STEPS_TO_FULL))
