"""Policies checked against a model: has it the objectives that rules need, and is it the one that was calibrated?"""

from collections.abc import Iterable, Sequence

from moderator.events import ModelIdentity, OutputScale
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.policy.files.node_readers import choices
from moderator.policy.language.ast import Calibration, Condition, Rule, Signal
from moderator.policy.model_reach import check_reach
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, did_you_mean, quote


def model_diagnostics(
    rules: Iterable[Rule],
    signals: Iterable[Signal],
    objectives: Sequence[str],
    model_name: str,
    *,
    scale: OutputScale = "raw",
    calibration: Calibration | None = None,
    identity: ModelIdentity | None = None,
) -> list[Diagnostic]:
    """Give an error for each condition that the model cannot serve, and a warning for each other signal it cannot.

    Where its scores are probabilities, scales and rules that they cannot reach are errors too.

    Args:
        rules: the live and shadow ones.
        signals: every declared one.
        objectives: of the model, in any order.
        model_name: what the model is called.
        scale: what the model's scores are; nothing is said of rewards.
        calibration: the one that signals.yaml names for the model.
        identity: the running model; None when only its objectives are known, and no fingerprint is compared.
    """
    diagnostics = Diagnostics()
    rules, signals = tuple(rules), tuple(signals)
    conditions = [condition for rule in rules for condition in rule.conditions]
    lacking = [condition for condition in conditions if _missing_objective(condition.signal, objectives)]
    for condition in lacking:
        diagnostics.error("P060", condition.span, *_lack(condition.signal, objectives, model_name))
    used = {condition.signal.name for condition in lacking}
    for signal in signals:
        if _missing_objective(signal, objectives) and signal.name not in used:
            diagnostics.warning("P061", signal.span, *_lack(signal, objectives, model_name))
    if scale != "raw":
        check_reach(rules, signals, objectives, calibration, diagnostics)
    if identity is not None:
        _check_calibration(conditions, calibration, identity, diagnostics)
    return diagnostics.all


def _missing_objective(signal: Signal, objectives: Sequence[str]) -> str | None:
    return next((objective for objective in signal.objectives if objective not in objectives), None)


def _lack(signal: Signal, objectives: Sequence[str], model_name: str) -> tuple[str, str]:
    missing = _missing_objective(signal, objectives)
    assert missing is not None
    message = f"{signal.name} is read from {quote(missing)}, which the model {quote(model_name)} does not have"
    # A name that a larger model has is no mistake, even if it resembles another.
    near = "" if missing in ARMORM_OBJECTIVES else did_you_mean(missing, objectives)
    hint = f"{near} {choices('it', objectives)}".strip()
    return message, hint


def _check_calibration(
    conditions: Iterable[Condition], calibration: Calibration | None, identity: ModelIdentity, diagnostics: Diagnostics
) -> None:
    percent = [condition for condition in conditions if condition.percent is not None]
    if not percent:
        return
    if calibration is None:
        message = f"{quote(percent[0].phrase)} needs a calibration for the model {quote(identity.name)}"
        hint = "write one with `moderator model calibrate` and name it under calibrations: in signals.yaml"
        diagnostics.error("P062", percent[0].span, message, hint)
        return
    for what, running, calibrated in (
        ("fingerprint", identity.fingerprint, calibration.fingerprint),
        ("framing", identity.framing, calibration.framing),
    ):
        if running != calibrated:
            message = (
                f"{quote(percent[0].phrase)} uses {calibration.file}, measured with the {what} {calibrated}; "
                f"the running model's is {running}"
            )
            diagnostics.error(
                "P062", percent[0].span, message, "calibrate the running model, or run the calibrated one"
            )
    if identity.dtype != calibration.dtype:
        message = f"measured in {calibration.dtype}, and the model runs in {identity.dtype}"
        diagnostics.warning("P063", calibration.file, message, "scores may differ by their noise: calibrate again")
