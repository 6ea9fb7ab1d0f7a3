"""Tokenizers of ArmoRM and of every family of classifiers, with chat templates, made in memory. Needs no torch."""

import json
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tests.models.llama3 import TEMPLATE

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
)
_TEMPLATES = {
    "llama": (
        "{{ bos_token }}{% for message in messages %}"
        "[{{ message['role'] }}] {{ message['content'] }}{{ eos_token }}{% endfor %}"
    ),
    "qwen2": CHATML,
    "qwen3": CHATML,
    "gemma": GEMMA,
    "gemma2": GEMMA,
    "mistral": (
        "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}"
        "{{ ' ' + message['content'] + eos_token }}"
        "{% else %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% endif %}{% endfor %}"
    ),
}
_CORPUS = ["the quick brown fox jumps over the lazy dog", "hello you are an idiot", "how do i reset my password", "sep"]
ARMORM_SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
_LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def _armorm_backend() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LLAMA3_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ARMORM_SPECIAL])
    return tokenizer


def armorm_tokenizer(template: str = TEMPLATE) -> PreTrainedTokenizerFast:
    """Give a tokenizer of 261 tokens, one per byte, with the Llama-3 template."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=_armorm_backend(),
        bos_token=ARMORM_SPECIAL[0],
        eos_token=ARMORM_SPECIAL[4],
        chat_template=template,
    )


@cache
def _bytes_backend(special: tuple[str, ...], *, around: bool) -> Tokenizer:
    """One token a byte, byte-level BPE without merges; `around` puts the first two special tokens around a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    if around:
        first, last = special[:2]
        backend.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            special_tokens=[(token, backend.token_to_id(token)) for token in (first, last)],
        )
    return backend


@cache
def _word_pieces() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(_CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return backend


@cache
def _sentence_pieces() -> Tokenizer:
    """As Mistral's: the mark of a word's beginning is put only before the first word."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=220, special_tokens=special, initial_alphabet=list("[]/INST.!?1+=()-x\n"))
    backend.train_from_iterator(_CORPUS, trainer)
    return backend


@cache
def _unigrams(first: str, padding: str, last: str, unknown: str) -> Tokenizer:
    """As SentencePiece's unigram models: every word begins with a mark, and blanks are one blank."""
    words = sorted({f"\u2581{word}" for line in _CORPUS for word in line.split()})
    letters = sorted({letter for word in words for letter in word} | set("!?1+=()-[]/.INSTx"))
    special = [first, padding, last, unknown]
    pieces = [
        *((token, 0.0) for token in special),
        *((word, -3.0) for word in words),
        *((one, -6.0) for one in letters),
    ]
    backend = Tokenizer(models.Unigram(pieces, unk_id=special.index(unknown), byte_fallback=False))
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    backend.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, 0), (last, 2)]
    )
    return backend


def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    """Give a tokenizer of the family's kind."""
    named: dict[str, tuple[Tokenizer, dict[str, str]]] = {
        "llama": (_bytes_backend(("<s>", "</s>"), around=False), {"bos_token": "<s>", "eos_token": "</s>"}),
        "qwen2": (_bytes_backend(("<|im_start|>", "<|im_end|>"), around=False), {"eos_token": "<|im_end|>"}),
        "qwen3": (_bytes_backend(("<|im_start|>", "<|im_end|>"), around=False), {"eos_token": "<|im_end|>"}),
        "mistral": (_sentence_pieces(), {"bos_token": "<s>", "eos_token": "</s>"}),
        **dict.fromkeys(
            ("gemma", "gemma2"),
            (
                _bytes_backend(("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"), around=False),
                {"bos_token": "<bos>", "eos_token": "<eos>"},
            ),
        ),
        "bert": (_word_pieces(), {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}),
        "roberta": (_bytes_backend(("<s>", "</s>", "<pad>"), around=True), {"bos_token": "<s>", "eos_token": "</s>"}),
        "distilbert": (_word_pieces(), {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}),
        "xlm-roberta": (
            _unigrams("<s>", "<pad>", "</s>", "<unk>"),
            {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
        ),
        "deberta-v2": (
            _unigrams("[CLS]", "[PAD]", "[SEP]", "[UNK]"),
            {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"},
        ),
        "modernbert": (_bytes_backend(("[CLS]", "[SEP]", "[PAD]"), around=True), {}),
    }
    backend, tokens = named[family]
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **tokens, chat_template=_TEMPLATES.get(family)
    )


def special_ids(family: str) -> set[int]:
    """Give the ids that no text may have: all special tokens but the unknown token."""
    backend = tokenizer_of(family).backend_tokenizer
    unknown = getattr(backend.model, "unk_token", None) or {"xlm-roberta": "<unk>", "deberta-v2": "[UNK]"}.get(family)
    return {at for at, token in backend.get_added_tokens_decoder().items() if token.content != unknown}


def plainly_added(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Give the same tokenizer, its special tokens added as ordinary ones, as some checkpoints have them."""
    fields = json.loads(tokenizer.backend_tokenizer.to_str())
    for token in fields["added_tokens"]:
        token["special"] = False
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(fields)),
        bos_token=tokenizer.bos_token,
        chat_template=tokenizer.chat_template,
    )
