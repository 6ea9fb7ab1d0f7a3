"""Write a model as a checkpoint folder."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast

from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.configs.reading_declaration import declaration
from moderator.scoring.checkpoint.files import CONFIG, WEIGHTS
from moderator.scoring.rendering.event_reader import DEFAULT_LIMITS, ReadingLimits


def save_checkpoint(
    folder: Path,
    network: torch.nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    config: ArmoRMConfig,
    reading: ReadingLimits = DEFAULT_LIMITS,
) -> None:
    """Write a folder from which exactly this model is loaded.

    Args:
        folder: created if it is missing.
        network: an `ArmoRMNetwork`; its tensors are written in their dtype.
        tokenizer: with a Llama-3 chat template.
        config: the network's.
        reading: how it wants events read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    fields = {**config.to_fields(), **declaration(reading)}
    (folder / CONFIG).write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)  # safetensors lets only the owner read it
