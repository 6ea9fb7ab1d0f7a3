"""Do texts score in our passes as they score alone in transformers' own network?"""

from typing import Final

import torch

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.model import RewardModel
from moderator.scoring.packing import Read, Text
from moderator.scoring.rendering.renderer import Rendering

_LENGTHS: Final = (7, 200)
_WORDS: Final = " ".join(f"word{number} is" for number in range(200))
_IN_FLOAT32: Final = 2e-3
_OTHERWISE: Final = 0.05


def compare_attention(model: RewardModel) -> float:
    """Score two probe texts together and alone; return the largest difference.

    Raises:
        ConfigurationError: it is larger than rounding explains.
        NoReferenceError: transformers cannot build the network.
    """
    ours, theirs = (scores.flatten().cpu() for scores in model.beside_transformers(_texts(model)))
    differences = (ours - theirs).abs()
    allowed = (_IN_FLOAT32 if model.dtype == torch.float32 else _OTHERWISE) * theirs.abs().clamp(min=1.0)
    wrong = ~(differences <= allowed)  # also where a score is not a number
    if wrong.any():
        at = int(wrong.to(torch.uint8).argmax())
        raise ConfigurationError(
            f"our attention does not give what transformers gives ({ours[at]:.3f} against {theirs[at]:.3f})"
        )
    return float(differences.max())


def _texts(model: RewardModel) -> list[Text]:
    """Render a long message, and take a short and a long text from it; both end as a rendering ends."""
    [rendering] = model.renderer.render([[Turn("user", _WORDS)]])
    return [_shortened(rendering, length) for length in _LENGTHS]


def _shortened(rendering: Rendering, length: int) -> Text:
    *ids, last = rendering.token_ids
    token_ids = [*ids[: length - 1], last]
    gate_row = min(rendering.gate_row, len(token_ids) - 1)
    return Text(token_ids, (Read(0, gate_row, len(token_ids) - 1),))
