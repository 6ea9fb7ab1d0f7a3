"""How many tokens a pack may have: fewer after the device ran out of memory, then slowly more again."""

from typing import Final

_PACKS_BEFORE_GROWTH: Final = 64
_STEPS_TO_FULL: Final = 8


class TokenBudget:
    """Tokens of a pack.

    Other users of the device's memory may release it, so a lowered budget recovers: by an eighth of the full budget
    after every 64 packs in a row that fit.
    """

    def __init__(self, full_tokens: int) -> None:
        """Start with `full_tokens`."""
        self._full_tokens = full_tokens
        self._fitted = 0
        self.tokens = full_tokens

    def halve(self, pack_tokens: int) -> None:
        """Allow half of a pack that did not fit, and never more than before."""
        self.tokens = min(self.tokens, max(1, pack_tokens // 2))
        self._fitted = 0

    def count_fit(self) -> None:
        """Count a pack that fitted."""
        self._fitted += 1
        if self._fitted >= _PACKS_BEFORE_GROWTH:
            self._fitted = 0
            self.tokens = min(self._full_tokens, self.tokens + max(1, self._full_tokens // _STEPS_TO_FULL))
