"""A model with objectives added: one small product of the hidden state that its head reads, in the same pass."""

from collections.abc import Callable, Sequence

import torch

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.scoring.checkpoint.probe_files import Probe
from moderator.scoring.model import RewardModel
from moderator.scoring.packing import Text

Read = Callable[[torch.Tensor], torch.Tensor]
"""Takes (m, h) float32, gives (m, added objectives)."""


class ProbedModel:
    """A backbone and what is read beside its head; see `RewardModel`. One thread owns it.

    The added objectives are raw and weigh nothing, so the overall score stays the backbone's.
    """

    scale: OutputScale = "raw"
    """Of the whole: nothing is said of a range that the added objectives would not keep."""

    def __init__(self, base: RewardModel, name: str, fingerprint: str, added: Sequence[str], read: Read) -> None:
        """Take a loaded backbone.

        Args:
            base: owned by this model from now on.
            name: of the whole.
            fingerprint: of the whole.
            added: objectives that the backbone does not have.
            read: gives their scores.
        """
        self.name = name
        self.fingerprint = fingerprint
        self.objectives = (*base.objectives, *added)
        self.is_builtin = base.is_builtin
        self.renderer = base.renderer
        self.device = base.device
        self.dtype = base.dtype
        self.layout = base.layout
        self._base = base
        self._read = read

    @property
    def is_compiled(self) -> bool:
        """Whether the backbone's layers are compiled."""
        return self._base.is_compiled

    def compile(self) -> None:
        """Compile the backbone's layers."""
        self._base.compile()

    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`."""
        return self.forward_with_hidden(texts)[0]

    @torch.inference_mode()
    def forward_with_hidden(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts, and give what both heads read; see `RewardModel.forward_with_hidden`."""
        rows, hidden = self._base.forward_with_hidden(texts)
        rewards, weights = rows.chunk(2, dim=1)
        added = self._read(hidden)
        return torch.cat((rewards, added, weights, torch.zeros_like(added)), dim=1), hidden

    def beside_transformers(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare the backbone; see `RewardModel.beside_transformers`."""
        return self._base.beside_transformers(texts)


def refuse_questions(questions: int, where: str) -> None:
    """Refuse a backbone that reads a text several times, so that there is no one hidden state.

    Args:
        questions: how often it reads one.
        where: names the model in errors.

    Raises:
        ConfigurationError: it does.
    """
    if questions > 1:
        raise ConfigurationError(
            f"{where}: the backbone is a guard that is asked {questions} questions, each with a hidden state of its "
            "own: ask it one, in MODERATOR_MODEL__VERDICTS"
        )


def with_probe(base: RewardModel, name: str, probe: Probe) -> ProbedModel:
    """Add a probe's objectives to its loaded backbone.

    Raises:
        ConfigurationError: the probe was fitted on another backbone.
    """
    fingerprint = probe.fingerprint_over(base.fingerprint)
    weight, bias = probe.weight.to(base.device), probe.bias.to(base.device)
    return ProbedModel(
        base,
        name,
        fingerprint,
        probe.config.objectives,
        lambda hidden: torch.nn.functional.linear(hidden, weight, bias),
    )


def with_hidden_state(base: RewardModel, hidden_size: int) -> ProbedModel:
    """Add the hidden state itself, as so many objectives `hidden-0`, …: what a probe is fitted on."""
    names = [f"hidden-{at}" for at in range(hidden_size)]
    return ProbedModel(base, base.name, base.fingerprint, names, torch.Tensor.clone)
