"""Prompts that a model is asked several questions about: a text for each, and their scores joined again; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise

from moderator.events import Prompt, Scores, Unscored


def texts_of(prompt: Prompt) -> list[Prompt]:
    """Give a prompt's texts as prompts of one text each, in the order of the questions."""
    if not prompt.lengths:
        return [prompt]
    borders = pairwise(accumulate(prompt.lengths, initial=0))
    return [prompt._replace(token_ids=prompt.token_ids[start:end], lengths=()) for start, end in borders]


def joined(results: Sequence[Scores | Unscored]) -> Scores | Unscored:
    """Join what was given for each of n >= 1 texts of a prompt; unscored where one of them is."""
    first, *others = results
    if not others:
        return first
    unscored = next((each for each in results if isinstance(each, Unscored)), None)
    if unscored is not None:
        return unscored
    scores = [each for each in results if isinstance(each, Scores)]
    rewards, weights = (
        tuple(chain.from_iterable(parts))
        for parts in zip(*((each.rewards, each.weights) for each in scores), strict=True)
    )
    return Scores(rewards, weights, scores[0].truncated)


class Texts:
    """The texts of prompts, numbered one after another, and what is given for them.

    Attributes:
        prompts: a prompt of one text for each number.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.prompts: list[Prompt] = []
        self._spans: list[range] = []
        self._of: list[int] = []
        self._given: dict[int, Scores | Unscored] = {}

    def add(self, prompts: Iterable[Prompt]) -> list[Prompt]:
        """Number the texts of further prompts; give them."""
        first = len(self.prompts)
        for prompt in prompts:
            texts = texts_of(prompt)
            self._of += [len(self._spans)] * len(texts)
            self._spans.append(range(len(self.prompts), len(self.prompts) + len(texts)))
            self.prompts += texts
        return self.prompts[first:]

    def give(self, scores: Mapping[int, Scores | Unscored]) -> Iterator[tuple[int, Scores | Unscored]]:
        """Take what a pass gave by number; give the prompts that have all of theirs now, by their own index."""
        self._given.update(scores)
        for at in dict.fromkeys(self._of[number] for number in scores):
            if all(number in self._given for number in self._spans[at]):
                yield at, joined([self._given.pop(number) for number in self._spans[at]])
