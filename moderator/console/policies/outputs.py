"""Which model scored the newest decision that is held, as far as the decision says."""

from moderator.console.recent.store import Recent
from moderator.objectives import ModelOutputs


def outputs_of(recent: Recent) -> ModelOutputs | None:
    """Give the name and outputs of the model; None where no decision has scores."""
    for held in reversed(recent.decisions):
        if held.status != "unscored":
            decision = held.record
            model, objectives = decision["model"], tuple(decision["scores"]["objectives"])
            return ModelOutputs(model["name"], objectives, model.get("scale", "raw"))
    return None
