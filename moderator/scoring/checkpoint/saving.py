"""Write a model as a checkpoint folder."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast

from moderator.scoring.checkpoint.armorm_config import ArmoRMConfig
from moderator.scoring.checkpoint.files import CONFIG, WEIGHTS


def save_checkpoint(
    folder: Path, network: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, config: ArmoRMConfig
) -> None:
    """Write a folder from which exactly this model is loaded.

    Args:
        folder: created if it is missing.
        network: an `ArmoRMNetwork`; its tensors are written in their dtype.
        tokenizer: with a Llama-3 chat template.
        config: the network's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    (folder / CONFIG).write_text(json.dumps(config.to_fields(), indent=2) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)  # safetensors lets only the owner read it
