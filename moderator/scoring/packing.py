"""Prompts to texts, texts to packs: what one forward pass computes, and which of its rows are read; pure."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple, Protocol

MAX_TEXTS = 1024
"""In one pack; more would not use the device any better."""


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
        gate_row: index in the text's tokens of the row where its gate is read.
        last_row: index in the text's tokens of its last one.
    """

    prompt: int
    gate_row: int
    last_row: int


class Text(NamedTuple):
    """What the model computes once: n >= 1 tokens, and the read-outs of all prompts that share them."""

    token_ids: Sequence[int]
    reads: tuple[Read, ...]


class Layout(NamedTuple):
    """How a model processes several texts in one pass.

    Attributes:
        shares_prefixes: no row depends on a later one, so the scores of a text's prefix can be read within the text.
        is_padded: texts are padded to the longest in the pass; otherwise they are packed end to end.
    """

    shares_prefixes: bool = True
    is_padded: bool = False


def gather(prompts: Sequence[Tokenized], layout: Layout) -> list[Text]:
    """Turn prompts into as few texts as possible.

    Equal prompts share a text. If the layout shares prefixes, a prompt also shares the text of a longer prompt that
    begins with it: earlier turns of a conversation are read in its latest.

    Returns:
        Texts in the order of their first prompts; padded ones by length. Each prompt is read exactly once.
    """
    hosts = _hosts([array("I", prompt.token_ids).tobytes() for prompt in prompts], layout)
    reads: dict[int, list[Read]] = {}
    for at, (prompt, host) in enumerate(zip(prompts, hosts, strict=True)):
        reads.setdefault(host, []).append(Read(at, prompt.gate_row, len(prompt.token_ids) - 1))
    texts = [Text(prompts[host].token_ids, tuple(read)) for host, read in reads.items()]
    return sorted(texts, key=lambda text: len(text.token_ids)) if layout.is_padded else texts


def next_pack(lengths: Sequence[int], start: int, budget_tokens: int, *, is_padded: bool = False) -> range:
    """Take texts in order from `start`, until the next one does not fit.

    Args:
        lengths: tokens of each of n > start texts.
        start: index of the first.
        budget_tokens: most tokens of a pack, padding included; a single longer text makes a pack by itself.
        is_padded: every text counts as many tokens as the longest.
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
    """Divide n >= 0 texts into packs: consecutive index ranges from 0 to n, none of them empty."""
    packs: list[range] = []
    while (start := packs[-1].stop if packs else 0) < len(lengths):
        packs.append(next_pack(lengths, start, budget_tokens, is_padded=is_padded))
    return packs


def filled(pack: Sequence[Text], rows: int, longest: int) -> list[Text]:
    """Add tokens up to `rows`, and unused read-outs after all others up to a multiple of `MAX_TEXTS`.

    A device chooses how it multiplies by the number of rows. If that number never changes, a text's scores do not
    depend on what shares its pack. A text of more than `rows` tokens is alone in its pack, so nothing is added to it.
    No added text has more than `longest` tokens, as no text of the pack has: a text longer than the model's positions
    could change the rotary frequencies of every text in the pass.
    """
    *others, last = pack
    missing_reads = -sum(len(text.reads) for text in pack) % MAX_TEXTS
    missing_tokens = max(0, rows - sum(len(text.token_ids) for text in pack))
    read_more = last._replace(reads=last.reads + (Read(-1, 0, 0),) * missing_reads)
    added = [Text((0,) * min(longest, missing_tokens - at), ()) for at in range(0, missing_tokens, longest)]
    return [*others, read_more, *added]


def _hosts(keys: list[bytes], layout: Layout) -> list[int]:
    """Find for each key the index of the key whose text it shares: an equal key, or one that begins with it."""
    hosts = list(range(len(keys)))
    ordered = sorted(hosts, key=keys.__getitem__)
    # keys that begin with a key directly follow it when sorted; going backwards, their hosts are known already
    for at, after in zip(reversed(ordered[:-1]), reversed(ordered[1:]), strict=True):
        if keys[after] == keys[at] or (layout.shares_prefixes and keys[after].startswith(keys[at])):
            hosts[at] = hosts[after]
    return hosts
