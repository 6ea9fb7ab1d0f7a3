"""Prompts to texts, texts to packs: what one forward pass takes, and which rows of it are read; pure."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple, Protocol

MAX_TEXTS = 1024
"""In one pack; more would not fill the device any better."""


class Tokenized(Protocol):
    """A prompt as the model reads it."""

    @property
    def token_ids(self) -> Sequence[int]:
        """Ids of n >= 1 tokens."""
        ...

    @property
    def gate_row(self) -> int:
        """Index in `token_ids` where the gate is read."""
        ...


class Read(NamedTuple):
    """Where in a text one prompt's scores are read.

    Attributes:
        prompt: the prompt's index among those given.
        gate_row: index in the text's tokens where its gate is read.
        last_row: index in the text's tokens of its last one.
    """

    prompt: int
    gate_row: int
    last_row: int


class Text(NamedTuple):
    """What the model computes once: n >= 1 tokens, and every read-out that they serve."""

    token_ids: Sequence[int]
    reads: tuple[Read, ...]


class Layout(NamedTuple):
    """How a model takes several texts in one pass.

    Attributes:
        shares_prefixes: no row sees a later one, so that the scores of a text's beginning can be read in it.
        is_padded: texts are padded to the longest in the pass, otherwise they lie end to end.
    """

    shares_prefixes: bool = True
    is_padded: bool = False


def gather(prompts: Sequence[Tokenized], layout: Layout) -> list[Text]:
    """Turn prompts into the fewest texts that serve them all.

    Equal prompts share a text. Where prefixes are shared, so does a prompt with which another begins: the earlier
    turns of a conversation are further read-outs of its latest.

    Returns:
        Texts in the order of the first prompt each serves; padded ones by length. Each prompt is read exactly once.
    """
    hosts = _hosts([array("I", prompt.token_ids).tobytes() for prompt in prompts], layout)
    reads: dict[int, list[Read]] = {}
    for at, (prompt, host) in enumerate(zip(prompts, hosts, strict=True)):
        reads.setdefault(host, []).append(Read(at, prompt.gate_row, len(prompt.token_ids) - 1))
    texts = [Text(prompts[host].token_ids, tuple(read)) for host, read in reads.items()]
    return sorted(texts, key=lambda text: len(text.token_ids)) if layout.is_padded else texts


def next_pack(lengths: Sequence[int], start: int, budget_tokens: int, *, is_padded: bool = False) -> range:
    """Take texts from `start` on, in their order, until the next does not fit; no waiting, no reordering.

    Args:
        lengths: tokens of each of n > start texts.
        start: index of the first.
        budget_tokens: a pack holds no more, padding counted, except one that holds a single longer text.
        is_padded: every text takes as much as the longest.
    """
    most = min(len(lengths), start + MAX_TEXTS)
    total = longest = 0
    for at in range(start, most):
        total += lengths[at]
        longest = max(longest, lengths[at])
        if at > start and (longest * (at + 1 - start) if is_padded else total) > budget_tokens:
            return range(start, at)
    return range(start, most)


def plan_packs(lengths: Sequence[int], budget_tokens: int, *, is_padded: bool = False) -> list[range]:
    """Part n >= 0 texts into packs: index ranges that follow one another from 0 to n, none empty."""
    packs: list[range] = []
    while (start := packs[-1].stop if packs else 0) < len(lengths):
        packs.append(next_pack(lengths, start, budget_tokens, is_padded=is_padded))
    return packs


def filled(pack: Sequence[Text], rows: int, longest: int) -> list[Text]:
    """Add tokens up to `rows` and, behind all others, read-outs that nobody asked for, up to multiples of `MAX_TEXTS`.

    A device chooses by the number of rows how it multiplies; where that never changes, no text's scores depend on
    what shares its pack. A text of more than `rows` tokens shares none, so it gets no more. No text that is added
    has more than `longest` tokens, as none of the pack has: a text longer than the model's positions could change the
    rotary frequencies of every text in the pass.
    """
    *others, last = pack
    missing_reads = -sum(len(text.reads) for text in pack) % MAX_TEXTS
    missing_tokens = max(0, rows - sum(len(text.token_ids) for text in pack))
    read_more = last._replace(reads=last.reads + (Read(-1, 0, 0),) * missing_reads)
    added = [Text((0,) * min(longest, missing_tokens - at), ()) for at in range(0, missing_tokens, longest)]
    return [*others, read_more, *added]


def _hosts(keys: list[bytes], layout: Layout) -> list[int]:
    """Find for each key the index of the one that serves it: an equal one, or one that begins with it."""
    hosts = list(range(len(keys)))
    ordered = sorted(hosts, key=keys.__getitem__)
    # whatever begins with a key comes right behind it, so its own host is known by then
    for at, after in zip(reversed(ordered[:-1]), reversed(ordered[1:]), strict=True):
        if keys[after] == keys[at] or (layout.shares_prefixes and keys[after].startswith(keys[at])):
            hosts[at] = hosts[after]
    return hosts
