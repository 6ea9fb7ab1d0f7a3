"""Train the small tokenizer: byte-level BPE with the Llama-3 special tokens and chat template."""

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

BOS = "<|begin_of_text|>"
EOS = "<|end_of_text|>"
HEADER_START = "<|start_header_id|>"
HEADER_END = "<|end_header_id|>"
TURN_END = "<|eot_id|>"
SPECIAL_TOKENS = (BOS, EOS, HEADER_START, HEADER_END, TURN_END)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

# Llama-3's own split, so that a header's line breaks never join what a person wrote.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# `k i l l` and `k.i.l.l` are read as `kill`.
_BETWEEN_SINGLE_LETTERS = r"(?<=\b\p{L})[ .*-](?=\p{L}\b)"
# In chats, zero-width and soft-hyphen characters, and marks on letters, mostly serve to hide a word.
_HIDING = "[\u00ad\u0300-\u036f\u200b-\u200f\u2060\ufeff]"
# Often enough that each becomes one token with any corpus.
_HEADER_WORDS = ("user", "assistant", "system", "\n\n")
_HEADER_REPEATS = 5_000


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Train on `texts`; the role words and the blank line after a header are one token each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        show_progress=False,
    )
    tokenizer.train_from_iterator(chain(_header_words(), texts), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=TURN_END, chat_template=CHAT_TEMPLATE
    )


def normalizer() -> normalizers.Normalizer:
    """Make what reads a text without marks, hiding characters, capitals, and separators between single letters."""
    return normalizers.Sequence(
        [
            normalizers.NFD(),
            normalizers.Replace(Regex(_HIDING), ""),
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(_BETWEEN_SINGLE_LETTERS), ""),
        ]
    )


def _header_words() -> Iterator[str]:
    return chain.from_iterable(repeat(word, _HEADER_REPEATS) for word in _HEADER_WORDS)
