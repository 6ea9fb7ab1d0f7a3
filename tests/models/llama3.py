"""Meta's Llama-3 tokenizer, from the file that `llama-models` ships, with the Llama-3 chat template."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import TikTokenConverter

GATE_PATTERN = [128009, 128006, 78191, 128007, 271]

TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

_SPECIAL = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    *[f"<|reserved_special_token_{number}|>" for number in range(4)],
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|reserved_special_token_4|>",
    "<|eot_id|>",
    *[f"<|reserved_special_token_{number}|>" for number in range(5, 251)],
]


@cache
def backend() -> Tokenizer:
    """The tokenizer with its 256 special tokens; treat it as read-only."""
    path = Path(str(files("llama_models"))) / "llama3" / "tokenizer.model"
    converter = TikTokenConverter(vocab_file=str(path), extra_special_tokens=_SPECIAL)  # type: ignore[no-untyped-call]
    return converter.converted()


def llama3_tokenizer() -> PreTrainedTokenizerFast:
    """A fresh tokenizer of transformers, 128,256 tokens."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend(),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
