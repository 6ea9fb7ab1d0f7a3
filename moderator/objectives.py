"""What a model and its scores are called: a gated model's objectives, or the labels of a sequence classifier."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from moderator.events import OutputScale

BUILTIN = "builtin"
"""The name of the practice model in the package."""

ARMORM_OBJECTIVES: tuple[str, ...] = (
    "helpsteer-helpfulness",
    "helpsteer-correctness",
    "helpsteer-coherence",
    "helpsteer-complexity",
    "helpsteer-verbosity",
    "ultrafeedback-overall_score",
    "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness",
    "ultrafeedback-honesty",
    "ultrafeedback-helpfulness",
    "beavertails-is_safe",
    "prometheus-score",
    "argilla-overall_quality",
    "argilla-judge_lm",
    "code-complexity",
    "code-style",
    "code-explanation",
    "code-instruction-following",
    "code-readability",
)
"""Of ArmoRM-Llama3-8B-v0.1, in the order of the checkpoint's heads. Source: the model card of RLHFlow's checkpoint."""


URM_ARCHITECTURE = "LlamaForSequenceClassificationWithNormal_Weights"
"""The name in the `architectures` of URM's `config.json`."""
URM_OBJECTIVES: tuple[str, ...] = tuple(
    f"helpsteer2-{name}" for name in ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
)
"""Of URM-LLaMa-3.1-8B, in the order of the checkpoint's head. Source: its model card."""


class ModelOutputs(NamedTuple):
    """What is known of a model without its weights.

    Attributes:
        name: what the model is called.
        objectives: in the model's order.
        scale: what their scores are.
    """

    name: str
    objectives: tuple[str, ...]
    scale: OutputScale


_SCALES: Mapping[str, OutputScale] = {
    "regression": "raw",
    "multi_label_classification": "sigmoid",
    "single_label_classification": "softmax",
}
_PAIR = 2
_CLASSIFIER = "ForSequenceClassification"
_HEADS = ("score.weight", "classifier.weight", "classifier.out_proj.weight")
"""What classifiers call the tensor that has a row for each label."""
_OPENRLHF_HEAD = "value_head_prefix"
"""Where OpenRLHF's reward models name their head; their `architectures` name no class of transformers."""


def model_name(folder: Path) -> str:
    """Give the model's name: that of its folder, or of a link to it; in the hub's cache that of its repository.

    The hub keeps the model `owner/name` in `models--owner--name/snapshots/…`, in folders named by hashes.
    """
    path = folder.resolve() if folder.name == ".." else folder.absolute()
    match path.parts[-3:]:
        case (repository, "snapshots", _) if repository.startswith("models--"):
            return repository.rpartition("--")[2]
    return path.name


def is_classifier(config: Mapping[str, object]) -> bool:
    """Check whether a `config.json` is that of a sequence classifier, whose objectives are its labels."""
    named = config.get("architectures")
    is_named = isinstance(named, list) and bool(named) and str(named[0]).endswith(_CLASSIFIER)
    return is_named or head_prefix(config) is not None


def head_prefix(config: Mapping[str, object]) -> str | None:
    """Give the name that OpenRLHF gave the head, if the config says one."""
    prefix = config.get(_OPENRLHF_HEAD)
    return prefix if isinstance(prefix, str) and prefix else None


def head_rows(config: Mapping[str, object], shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Give the number of rows of a classifier's head; None if the shapes hold no tensor that is known as one."""
    own = head_prefix(config)
    names = _HEADS if own is None else (f"{own}.weight", *_HEADS)
    return next((shapes[name][0] for name in names if shapes.get(name)), None)


def armorm_objectives(config: Mapping[str, object]) -> tuple[str, ...]:
    """Give the objectives of an ArmoRM or a QRM in the order of its heads; where its config names none, the nineteen.

    Raises:
        ValueError: `objectives` does not give as many different names as `num_objectives` says.
    """
    names = config.get("objectives")
    count = config.get("num_objectives", len(names if isinstance(names, list) else ARMORM_OBJECTIVES))
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError("`num_objectives` must be a whole number, 1 or more")
    return _named(names, count, ARMORM_OBJECTIVES, "as `num_objectives` says")


def is_weighted_classifier(config: Mapping[str, object]) -> bool:
    """Check whether a `config.json` is that of a URM."""
    return config.get("architectures") == [URM_ARCHITECTURE]


def urm_objectives(config: Mapping[str, object], rows: int | None = None) -> tuple[str, ...]:
    """Give the objectives of a URM in the order of its head, which has two rows for each: a reward and its spread.

    Args:
        config: the JSON object; where it names no `objectives`, they are the published five.
        rows: of the head; None if they are not known: then those that `num_labels` says.

    Raises:
        ValueError: `objectives` does not give one name for two rows, or `num_labels` says another number of rows.
    """
    said = config.get("num_labels")
    count = rows if rows is not None else 2 * len(URM_OBJECTIVES) if said is None else said
    if said is not None and said != count:
        raise ValueError(f"`num_labels` and the head in the weights disagree: {said} and {count}")
    if not isinstance(count, int) or isinstance(count, bool) or count < _PAIR or count % _PAIR:
        raise ValueError("`num_labels` must be an even number, 2 or more: two for each objective")
    return _named(config.get("objectives"), count // _PAIR, URM_OBJECTIVES, "one for two rows of the head")


def _named(names: object, count: int, published: tuple[str, ...], reason: str) -> tuple[str, ...]:
    """Give the names that `objectives` has, or those of the published model of the same number."""
    if names is None and count == len(published):
        return published
    if names is None:
        raise ValueError(f"`objectives` is missing: name the {count} objectives in their order")
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("`objectives` must be a list of names")
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"`objectives` must be {count} different names, {reason}")
    return tuple(names)


def declared_scale(config: Mapping[str, object], labels: int) -> OutputScale:
    """Give what a classifier's outputs are by its config; without `problem_type`, one label is a reward.

    Raises:
        ValueError: the config does not say it, or says what cannot be.
    """
    problem = config.get("problem_type")
    if problem is None and labels > _PAIR:
        raise ValueError(
            f"{labels} labels, but no `problem_type`: say MODERATOR_MODEL__SCALE=softmax (labels exclude one another) "
            "or sigmoid (each on its own)"
        )
    if problem is None:
        return "raw" if labels == 1 else "softmax"
    if not isinstance(problem, str) or problem not in _SCALES:
        raise ValueError(f"`problem_type` is `{problem}`; it may be {', '.join(_SCALES)}")
    return _SCALES[problem]


def label_names(config: Mapping[str, object], rows: int | None = None) -> tuple[str, ...]:
    """Give a classifier's labels in the order of its head; without `id2label` as transformers names them.

    Args:
        config: the JSON object.
        rows: of the head; None if they are not known. Without `num_labels` and `id2label` they are the labels.

    Raises:
        ValueError: `id2label` does not number different names from 0, or the head has another number of rows.
    """
    labels = config.get("id2label")
    if labels is None:
        count = config.get("num_labels", 2 if rows is None else rows)
        labels = (
            {str(at): f"LABEL_{at}" for at in range(count)}
            if isinstance(count, int) and not isinstance(count, bool)
            else None
        )
    if not isinstance(labels, Mapping) or not labels:
        raise ValueError("`id2label` must map numbers to names")
    names = [labels.get(str(at)) for at in range(len(labels))]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ValueError(f"`id2label` must give {len(names)} different names, numbered from 0")
    if rows is not None and rows != len(names):
        source = "num_labels" if config.get("id2label") is None else "id2label"
        raise ValueError(f"`{source}` and the head in the weights disagree: {len(names)} and {rows} labels")
    return tuple(str(name) for name in names)
