"""Encoders and guards as the engine scores them, and as transformers alone does, on the same weights."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedModel

from moderator.scoring.model import RewardModel
from moderator.scoring.opening import open_model
from moderator.scoring.packing import gather, plan_packs
from moderator.scoring.rendering.templates.verdicts import VerdictRenderer
from moderator.scoring.runtime.reference import plain_attention
from tests.benchmarks.mix import Sample
from tests.models import tiny_classifiers, tiny_guards

MOST_TOKENS = 512
"""What encoders have positions for; guards get the same texts."""
FAMILIES = ("bert", "deberta-v2", "guard")


@dataclass(frozen=True, slots=True)
class FamilyContest:
    """One model in our passes and, with the same weights, in transformers' own.

    Attributes:
        vocabulary: ids that texts may have.
        answers: of a guard, the tokens whose shares are its scores; None: the head's numbers are.
    """

    model: RewardModel
    plain: PreTrainedModel
    vocabulary: int
    answers: list[int] | None = None

    def ours(self, samples: list[Sample], budget_tokens: int) -> torch.Tensor:
        """Passes under a token budget: an encoder's texts sorted by length and padded, a guard's packed."""
        texts = gather(samples, self.model.layout)
        lengths = [len(text.token_ids) for text in texts]
        packs = plan_packs(lengths, budget_tokens, is_padded=self.model.layout.is_padded)
        rows = torch.cat([self.model.forward(texts[pack.start : pack.stop]) for pack in packs])
        order = torch.tensor([read.prompt for text in texts for read in text.reads]).argsort()
        return rows[order, : len(self.model.objectives)]

    @torch.inference_mode()
    def plainly(self, samples: Sequence[Sample], batch: int) -> torch.Tensor:
        """Batches in order of arrival, padded to the longest, with a mask where there is padding."""
        starts = range(0, len(samples), batch)
        return torch.cat([self._batch(samples[start : start + batch]) for start in starts])

    def _batch(self, samples: Sequence[Sample]) -> torch.Tensor:
        longest = max(len(sample.token_ids) for sample in samples)
        padding = [[0] * (longest - len(sample.token_ids)) for sample in samples]
        rows = [([*sample.token_ids], pad) for sample, pad in zip(samples, padding, strict=True)]
        if self.answers is None:
            ids = torch.tensor([own + pad for own, pad in rows])
            mask = torch.tensor([[1] * len(own) + pad for own, pad in rows]) if len(samples) > 1 else None
            logits: torch.Tensor = self.plain(input_ids=ids, attention_mask=mask).logits
            return logits
        # a generator is padded on the left, so that the answer follows the prompt
        ids = torch.tensor([pad + own for own, pad in rows])
        mask = torch.tensor([pad + [1] * len(own) for own, pad in rows]) if len(samples) > 1 else None
        last = self.plain(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=1).logits[:, -1]
        shares: torch.Tensor = last[:, self.answers].softmax(-1)
        return shares


def a_family_contest(family: str, hidden: int, layers: int) -> FamilyContest:
    """Random weights: BERT's and DeBERTa's proportions, or a Qwen3 that is asked as Qwen3Guard is."""
    sizes: dict[str, Any] = {
        "hidden_size": hidden,
        "num_attention_heads": hidden // 64,
        "num_hidden_layers": layers,
        "max_position_embeddings": MOST_TOKENS,
        "initializer_range": 0.05,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / family
        if family == "guard":
            own = {"intermediate_size": 3 * hidden, "num_key_value_heads": max(1, hidden // 256), "head_dim": 64}
            tiny_guards.write_guard(path, "qwen3", tiny_guards.QWEN_GUARD, **sizes, **own)
        else:
            deberta: dict[str, Any] = {"position_buckets": 256} if family == "deberta-v2" else {}
            tiny_classifiers.write_classifier(path, family, **sizes, intermediate_size=4 * hidden, **deberta)
        opened = open_model(path)
        auto = AutoModelForCausalLM if family == "guard" else AutoModelForSequenceClassification
        implementation = plain_attention(opened.backbone)
        plain = auto.from_pretrained(path, dtype=torch.float32, attn_implementation=implementation)
        model = opened.load("float32", torch.device("cpu"))
    answers = opened.renderer.answer_ids if isinstance(opened.renderer, VerdictRenderer) else None
    return FamilyContest(model, plain.train(mode=False), opened.backbone.vocab_size, answers)
