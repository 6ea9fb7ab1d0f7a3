"""An ArmoRM on a device in trouble, and conversations for it to score."""

from collections.abc import Callable, Sequence

import torch

from moderator.events import Prompt, Scores, Turn, Unscored
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.packing import Text
from moderator.scoring.runtime.threads import ThreadChoice

Conversation = list[Turn]
Trouble = Callable[[Sequence[Text], torch.Tensor], torch.Tensor]


def question(text: str, answer: str = "A fine answer.") -> Conversation:
    return [Turn("user", text), Turn("assistant", answer)]


CONVERSATIONS = [question(f"question {number}", "word " * (number * 7 % 60 + 1)) for number in range(60)]


class TroubledArmoRM(ArmoRM):
    """The same model on a device in trouble."""

    def __init__(self, armorm: ArmoRM, trouble: Trouble) -> None:
        self.__dict__.update(vars(armorm))
        self.trouble = trouble
        self.packs: list[int] = []

    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        self.packs.append(len(texts))
        return self.trouble(texts, super().forward(texts))


def too_small(limit_tokens: int) -> Trouble:
    def allocate(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        if sum(len(text.token_ids) for text in texts) > limit_tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return rows

    return allocate


def fails_for(poison: Prompt) -> Trouble:
    def fail(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        if any(tuple(text.token_ids) == tuple(poison.token_ids) for text in texts):
            raise ValueError("a fault")
        return rows

    return fail


def noting_tokens(sizes: list[int]) -> Trouble:
    """None, but note how many tokens each pass has."""

    def note(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        sizes.append(sum(len(text.token_ids) for text in texts))
        return rows

    return note


def noting_threads(seen: list[int]) -> Trouble:
    """None, but note on how many threads each pass is computed."""

    def note(_: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return rows

    return note


class TwoThreads(ThreadChoice):
    """Always two, whatever the passes take; counts those that it may learn from."""

    def __init__(self) -> None:
        super().__init__(2, weights=10**9)
        self.observed = 0

    def threads(self, tokens: int) -> int:
        return 2

    def observe(self, tokens: int, seconds: float, cpu_seconds: float) -> None:
        self.observed += 1


def overall(results: list[Scores | Unscored]) -> list[float]:
    assert all(isinstance(result, Scores) for result in results)
    scores = [result.overall for result in results if isinstance(result, Scores)]
    return [score for score in scores if score is not None]
