"""A policy folder -> `PolicySet`: everything read and checked at once, or nothing at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from moderator.errors import PolicyError
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.policy.context import Context
from moderator.policy.folder import Folder, read_folder, stem_of
from moderator.policy.judge import Judge
from moderator.policy.lint import check_rules
from moderator.policy.model import Policy, PolicyTest, Rule, Settings, Signal
from moderator.policy.policy_file import read_policy
from moderator.policy.problems import Problem, Report, SourceFile, did_you_mean, quote
from moderator.policy.reading import choices
from moderator.policy.settings_file import FORMAT, read_settings
from moderator.policy.signals_file import read_signals
from moderator.policy.snapshot import snapshot_of
from moderator.policy.tests_file import read_tests
from moderator.policy.yaml_tree import Node, read_tree

_LATER_FILES = ("exemptions",)

_REQUIRED = {
    "settings": "every policy folder has one",
    "signals": "every policy folder has one",
    "policy": "a folder needs a policy; its file may have any name",
}


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A whole policy folder, checked.

    Attributes:
        snapshot: `sha256:` and 64 hex digits over everything that can change a decision.
        format: the language version.
        warnings: what `policy check` warns of.
    """

    snapshot: str
    format: int
    settings: Settings
    signals: tuple[Signal, ...]
    policies: tuple[Policy, ...]
    tests: tuple[PolicyTest, ...]
    warnings: tuple[Problem, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule of every policy, off ones too."""
        return tuple(rule for policy in self.policies for rule in policy.rules)

    @property
    def rule_count(self) -> int:
        """How many rules are live or shadow."""
        return sum(rule.mode != "off" for rule in self.rules)

    def check_model(self, objectives: Sequence[str], model_name: str) -> list[Problem]:
        """Hold the signals against a model's objectives; give warnings of declared signals that it lacks.

        Raises:
            PolicyError: a live or shadow rule needs an objective that the model lacks.
        """
        problems = model_problems(self, objectives, model_name)
        errors = [problem for problem in problems if problem.level == "error"]
        if errors:
            raise PolicyError(error_text(f"the policies do not suit the model {quote(model_name)}", errors))
        return problems

    def bind(self, objectives: Sequence[str]) -> Judge:
        """Compile for rewards in the order of `objectives`; a signal whose objective is not among them is absent."""
        return Judge(self.settings, self.signals, self.rules, objectives)


def load_policies(path: Path) -> PolicySet:
    """Read and check a policy folder.

    Raises:
        PolicyError: the folder cannot be used; the text holds every error, one block each.
    """
    policies, problems = check_folder(path)
    if policies is None:
        errors = [problem for problem in problems if problem.level == "error"]
        raise PolicyError(error_text(f"cannot use the policies in `{path}`", errors))
    return policies


def check_folder(path: Path) -> tuple[PolicySet | None, list[Problem]]:
    """Read a policy folder; give the set, None when there are errors, and every error and warning.

    Raises:
        PolicyError: there is no such folder.
    """
    report = Report()
    try:
        folder = read_folder(path, report)
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise PolicyError(
            f"cannot read the policy folder `{path}`: {why}; name the folder that holds settings.yaml"
        ) from error
    policies = _read_set(folder, report)
    return policies, report.problems


def error_text(summary: str, errors: Sequence[Problem]) -> str:
    """Write a summary line and then every error as a block."""
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    return "\n".join([f"{summary}: {count}", *map(str, errors)])


def model_problems(policies: PolicySet, objectives: Sequence[str], model_name: str) -> list[Problem]:
    """Give an error for each condition of a live or shadow rule, and a warning for each other signal, without score."""
    report = Report()
    conditions = [condition for rule in policies.rules if rule.mode != "off" for condition in rule.conditions]
    lacking = [condition for condition in conditions if condition.signal.objective not in objectives]
    for condition in lacking:
        report.error("P060", condition.span, *_lack(condition.signal, objectives, model_name))
    used = {condition.signal.name for condition in lacking}
    for signal in policies.signals:
        if signal.objective not in objectives and signal.name not in used:
            report.warning("P061", signal.span, *_lack(signal, objectives, model_name))
    return report.problems


def _lack(signal: Signal, objectives: Sequence[str], model_name: str) -> tuple[str, str]:
    message = f"{signal.name} is read from {quote(signal.objective)}, which the model {quote(model_name)} does not have"
    # A name that a larger model has is no slip, even if it resembles another.
    near = "" if signal.objective in ARMORM_OBJECTIVES else did_you_mean(signal.objective, objectives)
    hint = f"{near} {choices('it', objectives)}".strip()
    return message, hint


def _read_set(folder: Folder, report: Report) -> PolicySet | None:
    _require_files(folder.names, report)
    trees = _trees(folder.files, report)
    settings = next((read_settings(tree, report) for name, tree in trees.items() if _kind_of(name) == "settings"), None)
    signals = next((read_signals(tree, report) for name, tree in trees.items() if _kind_of(name) == "signals"), None)
    context = Context(settings, signals, report)
    policies = [
        policy
        for name, tree in trees.items()
        if _kind_of(name) == "policy" and (policy := read_policy(tree, name, context)) is not None
    ]
    tests = [test for name, tree in trees.items() if _kind_of(name) == "test" for test in read_tests(tree, context)]
    if settings is None or signals is None or report.errors:
        return None
    check_rules(policies, settings, report)
    return None if report.errors else _policy_set(settings, signals, policies, tests, report)


def _policy_set(
    settings: Settings,
    signals: Mapping[str, Signal | None],
    policies: list[Policy],
    tests: list[PolicyTest],
    report: Report,
) -> PolicySet:
    sound = tuple(signal for signal in signals.values() if signal is not None)
    rules = [rule for policy in policies for rule in policy.rules]
    snapshot = snapshot_of(settings, sound, rules)
    return PolicySet(snapshot, FORMAT, settings, sound, tuple(policies), tuple(tests), tuple(report.warnings))


def _require_files(names: Sequence[str], report: Report) -> None:
    kinds = {_kind_of(name) for name in names}
    for kind, hint in _REQUIRED.items():
        if names and kind not in kinds:
            report.error("P001", f"{kind}.yaml", "this file is missing", hint)


def _trees(files: Iterable[SourceFile], report: Report) -> dict[str, Node]:
    trees: dict[str, Node] = {}
    for file in files:
        if stem_of(file.name) in _LATER_FILES:
            report.error("P009", file.name, "this file is not known to this version", "remove it, or upgrade")
        elif (tree := read_tree(file, report)) is not None:
            trees[file.name] = tree
    return trees


def _kind_of(name: str) -> Literal["settings", "signals", "test", "policy"]:
    match stem_of(name):
        case "settings":
            return "settings"
        case "signals":
            return "signals"
        case stem if stem.endswith(".test"):
            return "test"
        case _:
            return "policy"
