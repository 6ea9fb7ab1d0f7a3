"""A score cache without bounds or metrics, whose contents a test can read."""

from collections.abc import Mapping, Sequence

from moderator.events import Scores


class DictCache:
    def __init__(self) -> None:
        self.scores: dict[str, Scores] = {}

    def get_many(self, keys: Sequence[str]) -> list[Scores | None]:
        return [self.scores.get(key) for key in keys]

    def put_many(self, scores: Mapping[str, Scores]) -> None:
        self.scores.update(scores)
