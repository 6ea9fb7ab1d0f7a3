"""What the engine needs from a model of any architecture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from moderator.events import OutputScale
from moderator.scoring.packing import Layout, Text
from moderator.scoring.rendering.renderer import Renderer

if TYPE_CHECKING:
    import torch


class RewardModel(Protocol):
    """A loaded model: conversations to token ids, token ids to rewards and their weights. One thread owns it."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def fingerprint(self) -> str:
        """`sha256:` and 64 hex digits over all files that can change a score."""
        ...

    @property
    def is_builtin(self) -> bool:
        """The practice model in the package."""
        ...

    @property
    def objectives(self) -> tuple[str, ...]:
        """K names, in the order of the rewards."""
        ...

    @property
    def scale(self) -> OutputScale:
        """What the rewards are: unbounded, or probabilities."""
        ...

    @property
    def renderer(self) -> Renderer:
        """What turns an event's conversation into what the model judges."""
        ...

    @property
    def device(self) -> "torch.device":
        """Where it runs."""
        ...

    @property
    def dtype(self) -> "torch.dtype":
        """The backbone's precision."""
        ...

    @property
    def layout(self) -> Layout:
        """How it processes several texts in one pass."""
        ...

    @property
    def is_compiled(self) -> bool:
        """Whether `compile` was called and compiled anything."""
        ...

    def compile(self) -> None:
        """Compile the costly layers at the first pass; scores then differ in their last bits."""
        ...

    def beside_transformers(self, texts: Sequence[Text]) -> "tuple[torch.Tensor, torch.Tensor]":
        """Score n >= 1 texts of one read-out each as `forward` does, and each alone by transformers' own network.

        Returns:
            Two tensors (n, k), float32, of what the head gives before it becomes a probability.

        Raises:
            NoReferenceError: transformers cannot build the network from the checkpoint's config.
            ConfigurationError: its network has other tensors.
        """
        ...

    def forward(self, texts: Sequence[Text]) -> "torch.Tensor":
        """Score n >= 1 texts in one pass, without gradients.

        Returns:
            (m, 2k) float32, one row for each read of each text, in order: k rewards, then the k weights that give the
            overall score; of a model that is asked several questions one of each, for the question of that text. On an
            accelerator they may not be computed yet.

        Raises:
            torch.OutOfMemoryError: the device has too little memory for them.
            RuntimeError: the device failed.
        """
        ...

    def forward_with_hidden(self, texts: Sequence[Text]) -> "tuple[torch.Tensor, torch.Tensor]":
        """Score as `forward` does, and give what the head read.

        Returns:
            The rows of `forward`, (m, 2k); and (m, h) float32, the hidden state that each read-out's scores are made
            from: that of the last token, of an encoder's first, or their mean where the head takes that.
        """
        ...
