"""The present decider: the thread that watches the policies swaps it, the stream's thread reads it."""

from moderator.events import IncludeContent, ModelIdentity
from moderator.pipeline.decision import Decider
from moderator.policy import PolicySet


class CurrentDecider:
    """Gives the decider for a window that starts now. To call and to swap are safe from any thread.

    Attributes:
        model: that gives the scores.
    """

    def __init__(
        self, policies: PolicySet, model: ModelIdentity, include_content: IncludeContent, *, is_draft: bool = False
    ) -> None:
        self.model = model
        self._include_content = include_content
        self._is_draft = is_draft
        self.swap(policies)

    def __call__(self) -> Decider:
        """Give the decider; use the same one for all of a window."""
        return self._decider

    def swap(self, policies: PolicySet) -> None:
        """Compile these policies, then let them decide from the next window on."""
        self._decider = Decider(policies, self.model, self._include_content, is_draft=self._is_draft)
