"""Interactive work for tests: none waits, and each call is noted."""

from collections.abc import Mapping

from moderator.events import Prompt, Scores, Unscored


class NotedTexts:
    """See `InteractiveWork`.

    Attributes:
        calls: names, in order.
        serve_s: what one call of `serve` adds to `spent_s`.
    """

    def __init__(self, serve_s: float = 0.0) -> None:
        self.spent_s = 0.0
        self.serve_s = serve_s
        self.came_lately = False
        self.calls: list[str] = []

    def hold(self) -> None:
        self.calls.append("hold")

    def release(self) -> None:
        self.calls.append("release")

    def give_way(self) -> None:
        self.calls.append("give_way")

    def serve(self) -> None:
        self.calls.append("serve")
        self.spent_s += self.serve_s

    def take(self, most_tokens: int) -> list[Prompt]:
        return []

    def give(self, scores: Mapping[str, Scores | Unscored], seconds: float) -> None:
        raise AssertionError

    def fail(self, score_key: str, error: Exception) -> None:
        raise AssertionError
