"""Check a loaded model against transformers, on the same files and weights: what no list of special cases can find."""

import time
from dataclasses import asdict, dataclass
from typing import Final

from moderator.counted import counted
from moderator.observability.logging import get_logger
from moderator.scoring.checkpoint.tokenizer_files import automatic, naming
from moderator.scoring.model import RewardModel
from moderator.scoring.opening import OpenModel, open_model
from moderator.scoring.runtime.device import choose_device
from moderator.scoring.runtime.reference import NoReferenceError
from moderator.scoring.self_check.attention import compare_attention
from moderator.scoring.self_check.tokens import compare_tokens
from moderator.scoring.throughput import LARGE_PARAMETERS, parameter_count
from moderator.settings import ModelSettings

log = get_logger(__name__)

_ROUNDED: Final = 3


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared, and found equal.

    Attributes:
        texts: probes whose tokens were compared.
        ids_equal: None where transformers cannot read the tokenizer by itself.
        largest_difference: between a score in our pass and alone in transformers' network; None where it was not
            compared.
        took_s: seconds.
    """

    texts: int
    ids_equal: bool | None
    largest_difference: float | None
    took_s: float

    def to_fields(self) -> dict[str, object]:
        """Return a JSON object."""
        return asdict(self)

    def line(self) -> str:
        """Return the line to print."""
        tokens, scores = "tokens were not compared", "scores were not compared"
        if self.ids_equal:
            tokens = f"{counted(self.texts, 'text has', 'texts have')} the tokens that transformers gives"
        if self.largest_difference is not None:
            scores = f"scores differ from those that transformers gives by at most {self.largest_difference:.1g}"
        return f"{tokens}; {scores}; checked in {self.took_s:.2f} s"


def check_checkpoint(settings: ModelSettings) -> Check:
    """Load the model that the settings name, and check it; see `check_model`.

    Raises:
        ConfigurationError: it cannot be loaded, or differs from transformers.
    """
    assert settings.path is not None
    opened = open_model(settings.path, settings)
    return check_model(opened, opened.load(settings.dtype, choose_device(settings.device)))


def check_model(opened: OpenModel, model: RewardModel) -> Check:
    """Compare tokens and scores with transformers' own, and log what was found.

    Args:
        opened: the checkpoint.
        model: loaded from it, not compiled.

    Raises:
        ConfigurationError: they differ; the text names the folder, and the probe or the scores.
    """
    began_s = time.perf_counter()
    with naming(opened.location.folder):
        texts = _tokens(opened)
        difference = _attention(opened, model)
    took_s = round(time.perf_counter() - began_s, _ROUNDED)
    check = Check(texts, True if texts else None, difference, took_s)
    log.info("model_checked", **check.to_fields())
    return check


def _tokens(opened: OpenModel) -> int:
    try:
        reference = automatic(opened.location.folder)
    except Exception as error:  # noqa: BLE001 - of any kind: a class that needs code, a package that is missing
        log.warning("tokens_not_compared", reason=" ".join(str(error).split()))
        return 0
    return compare_tokens(opened.renderer, reference, opened.tokenizer.chat_template)


def _attention(opened: OpenModel, model: RewardModel) -> float | None:
    if model.device.type == "cpu" and parameter_count(opened) > LARGE_PARAMETERS:
        return None
    try:
        return compare_attention(model)
    except NoReferenceError as error:
        log.warning("attention_not_compared", reason=str(error))
        return None
