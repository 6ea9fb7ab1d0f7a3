"""Tiny random guards: text generators with the templates of known guards in short, saved by transformers itself."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.models.slow_decoder import checkpoint, last_hidden
from tests.models.tiny_classifiers import OWN, SIZES, plain_network
from tests.models.tiny_tokenizers import tokenizer_of

LLAMA_GUARD = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}{% endif %}"
    "{% endfor %}[user] Task: Check the {{ 'Agent' if messages | length % 2 == 0 else 'User' }}.\n\n"
    "<BEGIN UNSAFE CONTENT CATEGORIES>\nS1: Violence.\n<END UNSAFE CONTENT CATEGORIES>\n\n<BEGIN CONVERSATION>\n\n"
    "{% for message in messages %}{{ 'User' if message['role'] == 'user' else 'Agent' }}: "
    "{{ message['content'][0]['text'] if message['content'] is not string else '' }}\n\n{% endfor %}"
    "<END CONVERSATION>\n\nSay 'safe' or 'unsafe'.{{ eos_token }}{% if add_generation_prompt %}[assistant]{% endif %}"
)
"""It takes contents as lists of parts alone, and refuses turns that do not alternate."""
QWEN_GUARD = (
    "<|im_start|>user\n<BEGIN UNSAFE CONTENT CATEGORIES>\nViolent.\n<END UNSAFE CONTENT CATEGORIES>\n"
    "{% for message in messages %}{{ message['role'] | upper }}: {{ message['content'] }}\n{% endfor %}"
    "Safety: (Safe, Unsafe, Controversial)<|im_end|>\n{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GRANITE_GUARDIAN = (
    "{% set judged, before = messages[-1], messages[-2] if messages | length > 1 else none %}"
    "{% set risks = 'harm social_bias jailbreak violence profanity sexual_content unethical_behavior'.split() %}"
    "{% if guardian_config.risk_name not in risks %}{{ raise_exception('unknown risk') }}{% endif %}"
    "{% set text = judged.content | tojson if messages | length == 3 else judged.content %}"
    "[user] {{ strftime_now('%d %B %Y') }}.\n<start_of_turn>\n"
    "{% if judged.role == 'assistant' %}User Message: {{ before.content }}\nAssistant{% else %}User{% endif %} "
    "Message: {{ text }}\n<end_of_turn>\n\n<start_of_risk_definition>\n{{ guardian_config.risk_name }} by the "
    "{{ judged.role }}\n<end_of_risk_definition>\nYour answer must be either 'Yes' or 'No'.{{ eos_token }}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
"""It writes a message alone, a reply with its question, nothing before them, and three turns as if they held tools."""
SHIELD_GEMMA = (
    "{% set is_reply, reply = messages | length > 1, messages[1] if messages | length > 1 else none %}"
    "{{ bos_token }}You are a policy expert trying to help determine whether "
    "{{ 'an AI response to a prompt' if is_reply else 'a user prompt' }} is in violation of the defined safety "
    "policies.\n\n<start_of_turn>\nHuman Question: {{ messages[0].content | trim }}\n<end_of_turn>\n"
    "{% if is_reply %}<start_of_turn>\nChatbot Response: {{ reply.content | trim }}\n<end_of_turn>\n{% endif %}"
    "{{ '\n' }}Our safety principle is defined in the below:\n\n* {{ guideline | trim }}\n\n===\n\nDoes the "
    "{{ 'Chatbot Response' if is_reply else 'human question' }} violate the above principle? Your answer must "
    "{{ ' ' if is_reply }}start with 'Yes' or 'No'. And then walk through step by step to be sure we answer correctly."
    "{{ '\n\n' }}"
)
"""It writes the first turn as a question, and the second as the reply that is judged: the form of its model card."""
ASKING = "{% for message in messages %}{{ message['content'] }} {% endfor %}Is it {{ what }}?"
_OWN: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "granite": {
        "num_key_value_heads": 2,
        "logits_scaling": 3.0,
        "embedding_multiplier": 2.0,
        "attention_multiplier": 0.3,
        "residual_multiplier": 0.7,
    },
    "gemma2": OWN["gemma2"],
}


def write_guard(folder: Path, family: str, template: str, **changes: Any) -> Path:
    """Save a random guard; weights large enough that every part matters."""
    tokenizer = tokenizer_of("llama" if family == "granite" else family)
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    # real vocabularies have such words whole; this one has a token for each byte
    backend.add_tokens([AddedToken(f" {word}", normalized=False) for word in ("Safe", "Unsafe", "Controversial")])
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, chat_template=template, **tokenizer.special_tokens_map
    )
    fields = {**SIZES, "vocab_size": len(tokenizer), "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    fields |= {"max_position_embeddings": 512, **_OWN[family], **changes}
    torch.manual_seed(1)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **fields))  # type: ignore[no-untyped-call]
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def slow_shares(folder: Path, token_ids: list[int], answers: list[int]) -> list[float]:
    """Give the shares of the answers' tokens by the published formulas."""
    fields, tensors = checkpoint(folder)
    rows = tensors.get("lm_head.weight", tensors["model.embed_tokens.weight"])[answers]
    logits = rows @ last_hidden(folder, token_ids) / fields.get("logits_scaling", 1.0)
    cap = fields.get("final_logit_softcapping")
    shares: list[float] = (cap * (logits / cap).tanh() if cap else logits).softmax(-1).tolist()
    return shares


def plain_shares(folder: Path, token_ids: list[int], answers: list[int]) -> list[float]:
    """Give what transformers' own generator gives for the next token, as shares of the answers' tokens."""
    with torch.inference_mode():
        logits = plain_network(folder, AutoModelForCausalLM)(input_ids=torch.tensor([token_ids])).logits[0, -1, answers]
    shares: list[float] = logits.double().softmax(-1).tolist()
    return shares
