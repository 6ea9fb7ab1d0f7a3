"""A policy folder, read and checked: it gives the judge that decides, and is checked against the model first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moderator.errors import PolicyError
from moderator.events import ModelIdentity
from moderator.objectives import ModelOutputs
from moderator.policy.engine.judge import Judge
from moderator.policy.language.ast import (
    Calibration,
    Exemption,
    FolderSettings,
    Policy,
    PolicyTest,
    Rule,
    Signal,
    Texts,
)
from moderator.policy.language.bounds import score_cuts, true_percent
from moderator.policy.language.scale import show
from moderator.policy.model_check import model_diagnostics
from moderator.policy.problems import PolicyProblemsError
from moderator.policy.syntax.diagnostics import Diagnostic, quote
from moderator.policy.text.text_signals import TextSignals


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A policy folder, read and checked.

    Attributes:
        snapshot: `sha256:` and 64 hex digits over everything that can change a decision.
        format: the language version.
        calibrations: model name -> the calibration that signals.yaml names for it, in the order written.
        warnings: what `policy check` warns of.
        texts: of texts.yaml; None where there is none.
        text_signals: what reads the text signals from an event; None where there are none.
    """

    snapshot: str
    format: int
    settings: FolderSettings
    signals: tuple[Signal, ...]
    calibrations: Mapping[str, Calibration]
    policies: tuple[Policy, ...]
    exemptions: tuple[Exemption, ...]
    tests: tuple[PolicyTest, ...]
    warnings: tuple[Diagnostic, ...]
    texts: Texts | None = None
    text_signals: TextSignals | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule of every policy, off ones too."""
        return tuple(rule for policy in self.policies for rule in policy.rules)

    @property
    def active_rules(self) -> tuple[Rule, ...]:
        """Every live or shadow rule."""
        return tuple(rule for rule in self.rules if rule.mode != "off")

    @property
    def rule_count(self) -> int:
        """How many rules are live or shadow."""
        return len(self.active_rules)

    @property
    def uses_event_time(self) -> bool:
        """Whether a decision can depend on the event's time: by `starts`, by `until`, or by an exemption's end."""
        return bool(self.exemptions) or any(
            rule.starts_ms is not None or rule.until_ms is not None for rule in self.active_rules
        )

    @property
    def notes(self) -> list[str]:
        """What `policy check` says that is no fault."""
        if self.settings.truncated_verdict is not None:
            return []
        return [
            "settings.yaml does not say if_truncated: an event that was not read whole and no rule flags is flagged"
        ]

    def calibration_of(self, model: str | None) -> Calibration | None:
        """Give the calibration for a model by name; for None the first one, as tests are judged by."""
        return next(iter(self.calibrations.values()), None) if model is None else self.calibrations.get(model)

    def score_cuts(self, model: str) -> dict[str, tuple[float, ...]]:
        """Give the scores that cut a signal's calibrated events into ten equal parts, by calibrated signal."""
        calibration = self.calibration_of(model)
        cuts = {signal.name: score_cuts(signal, calibration) for signal in self.signals} if calibration else {}
        return {name: each for name, each in cuts.items() if each is not None}

    def true_shares(self) -> list[str]:
        """Say of each percent phrase of a live or shadow rule how many events it really catches, ties included."""
        lines = (
            f"{condition.signal.name} {condition.phrase}: {show(share)}% of {calibration.event_count:,} events"
            f" ({calibration.file})"
            for calibration in self.calibrations.values()
            for rule in self.active_rules
            for condition in rule.conditions
            if condition.percent is not None and (share := true_percent(condition, calibration)) is not None
        )
        return list(dict.fromkeys(lines))

    def check_outputs(self, model: ModelOutputs) -> list[Diagnostic]:
        """Check the policies against a model of which only its outputs are known; give errors and warnings."""
        calibration = self.calibration_of(model.name)
        return model_diagnostics(
            self.active_rules, self.signals, model.objectives, model.name, scale=model.scale, calibration=calibration
        )

    def require_outputs(self, model: ModelOutputs) -> list[Diagnostic]:
        """Check the policies against a model of which only its outputs are known; give the warnings.

        Raises:
            PolicyError: as `check_model`, except for what a calibration says.
        """
        return _warnings_of(self.check_outputs(model), model.name)

    def check_model(self, model: ModelIdentity) -> list[Diagnostic]:
        """Check signals and calibrations against the running model; give the warnings.

        Raises:
            PolicyError: a live or shadow rule needs an objective that the model lacks, or scores that a model of
                probabilities cannot give, or says `in the lowest P%` and
                was calibrated for another model, or for none.
        """
        diagnostics = model_diagnostics(
            self.active_rules,
            self.signals,
            model.objectives,
            model.name,
            scale=model.scale,
            calibration=self.calibration_of(model.name),
            identity=model,
        )
        return _warnings_of(diagnostics, model.name)

    def bind(self, objectives: Sequence[str], model: str | None = None) -> Judge:
        """Compile for rewards in the order of `objectives`; a signal whose objective is not among them is absent.

        Percent phrases use the calibration of the `model` by that name; see `calibration_of`.

        Raises:
            PolicyError: a live or shadow rule has a percent phrase, and there is no calibration for the model.
        """
        calibration = self.calibration_of(model)
        phrases = [condition.phrase for rule in self.active_rules for condition in rule.conditions if condition.percent]
        if phrases and calibration is None:
            raise PolicyError(f"{quote(phrases[0])} needs a calibration for the model {quote(model or 'at work')}")
        return Judge(
            self.settings,
            self.signals,
            self.active_rules,
            objectives,
            exemptions=self.exemptions,
            calibration=calibration,
            texts=self.texts,
        )


def _warnings_of(diagnostics: list[Diagnostic], model_name: str) -> list[Diagnostic]:
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.level == "error"]
    if errors:
        raise PolicyProblemsError(f"the policies do not suit the model {quote(model_name)}", errors)
    return diagnostics
