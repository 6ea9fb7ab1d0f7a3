"""A policy folder -> `PolicySet`: everything read and checked at once, or nothing at all."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from moderator.policy.analysis.covering import check_covering
from moderator.policy.analysis.lint import check_exemptions, check_rules
from moderator.policy.analysis.untimed import untimed_tests
from moderator.policy.files.context import Context
from moderator.policy.files.exemptions import read_exemptions
from moderator.policy.files.folder import CALIBRATIONS, Files, Folder, Unreadable, decode_folder, read_files, stem_of
from moderator.policy.files.node_readers import choices
from moderator.policy.files.rules.literals import check_near_values
from moderator.policy.files.rules.policies import read_policy
from moderator.policy.files.settings import read_settings
from moderator.policy.files.signals.calibrations import read_calibration
from moderator.policy.files.signals.signals import SignalsFile, read_signals
from moderator.policy.files.tests import read_tests
from moderator.policy.files.texts import check_use, read_texts
from moderator.policy.files.uncounted import uncounted_names, uncounted_warnings, unnamed_list_warnings
from moderator.policy.language.ast import Calibration, FolderSettings
from moderator.policy.language.fields import FORMAT
from moderator.policy.language.snapshot import snapshot_of
from moderator.policy.policy_set import PolicySet
from moderator.policy.problems import PolicyProblemsError
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, SourceFile, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar, read_tree
from moderator.policy.text.text_signals import TextSignals

Kind = Literal["settings", "signals", "texts", "exemptions", "policy", "test"]

_KINDS: tuple[Kind, ...] = get_args(Kind)
_REQUIRED = {
    "settings": "every policy folder has one",
    "signals": "every policy folder has one",
    "policy": "a folder needs a policy; its file may have any name",
}


def load_policies(source: Path | Files, folder: Path | None = None) -> PolicySet:
    """Read and check a policy folder, or its files as read before; `folder` is then what errors call it.

    Raises:
        PolicyError: the folder cannot be used; the text holds every error, one block each.
    """
    policies, diagnostics = check_folder(source, folder)
    if policies is None:
        errors = [diagnostic for diagnostic in diagnostics if diagnostic.level == "error"]
        raise PolicyProblemsError(f"cannot use the policies in `{_name(source, folder)}`", errors)
    return policies


def check_folder(
    source: Path | Files, folder: Path | None = None, now_ms: int | None = None
) -> tuple[PolicySet | None, list[Diagnostic]]:
    """Read a policy folder; give the set, None when there are errors, and every error and warning.

    What has ended is warned of only where `now_ms` says what time it is: no replica's clock may decide what it accepts.

    Raises:
        PolicyError: there is no such folder.
    """
    diagnostics = Diagnostics()
    if isinstance(source, Path):
        files: Files = read_files(source)
        diagnostics.extend(uncounted_warnings(uncounted_names(source)))
    else:
        files = source
    policies = _read_set(files, decode_folder(files, _name(source, folder), diagnostics), now_ms, diagnostics)
    return policies, diagnostics.all


def _name(source: Path | Files, folder: Path | None) -> str:
    if folder is not None:
        return str(folder)
    return str(source) if isinstance(source, Path) else "the stored files"


def _read_set(files: Files, folder: Folder, now_ms: int | None, diagnostics: Diagnostics) -> PolicySet | None:
    _require_files(folder.names, diagnostics)
    trees = _trees(folder.files, diagnostics)
    by_kind = {kind: [(name, tree) for name, tree in trees.items() if _kind_of(name) == kind] for kind in _KINDS}
    errors_before = diagnostics.error_count
    settings = next((read_settings(tree, diagnostics) for _, tree in by_kind["settings"]), None)
    signals = next((read_signals(tree, files, diagnostics) for _, tree in by_kind["signals"]), None)
    calibrations = {} if signals is None else _read_calibrations(signals, files, diagnostics)
    texts = next((read_texts(tree, diagnostics) for _, tree in by_kind["texts"]), None)
    _require_fact_missing(settings, signals, diagnostics)
    are_basics_sound = diagnostics.error_count == errors_before
    context = Context(
        settings, (signals and signals.signals) or None, calibrations, diagnostics, texts=texts.texts if texts else None
    )
    policy_files = [name for name in folder.names if _kind_of(name) == "policy"]
    if not policy_files or len(by_kind["policy"]) < len(policy_files):
        context.unnamed.add(None)
    policies = [policy for name, tree in by_kind["policy"] if (policy := read_policy(tree, name, context)) is not None]
    exemptions = [exemption for _, tree in by_kind["exemptions"] for exemption in read_exemptions(tree, context)]
    tests = [test for _, tree in by_kind["test"] for test in read_tests(tree, context)]
    if settings is None or signals is None or not are_basics_sound:
        return None
    check_rules(policies, settings, calibrations, now_ms, diagnostics)
    if diagnostics.error_count:
        return None
    # These only warn about how the parts fit together, so every part must be free of errors first.
    check_near_values(context)
    if texts is not None:
        check_use(texts, context)
    diagnostics.extend(unnamed_list_warnings(files, signals.lists))
    check_exemptions(exemptions, policies, now_ms, diagnostics)
    rules = [rule for policy in policies for rule in policy.rules]
    found = PolicySet(
        snapshot=snapshot_of(settings, signals.sound, calibrations, rules, exemptions, texts=context.texts),
        format=FORMAT,
        settings=settings,
        signals=signals.sound,
        calibrations=calibrations,
        policies=tuple(policies),
        exemptions=tuple(exemptions),
        tests=tuple(tests),
        warnings=(),
        texts=context.texts,
        text_signals=_compiled(signals),
    )
    check_covering(found, diagnostics)
    # `policy test` fails for it, which must not stop an urgent rule from deciding.
    diagnostics.extend(replace(untimed, level="warning") for untimed in untimed_tests(found))
    return replace(found, warnings=tuple(diagnostics.warnings))


def _compiled(signals: SignalsFile) -> TextSignals | None:
    """Compile the text signals, once for all who decide by the folder: a list may have a hundred thousand entries."""
    sources = {signal.name: signal.text for signal in signals.sound if signal.text is not None}
    return TextSignals(sources) if sources else None


def _require_fact_missing(
    settings: FolderSettings | None, signals: SignalsFile | None, diagnostics: Diagnostics
) -> None:
    """Demand that settings.yaml says what a rule does whose facts are missing, once a signal may be."""
    facts = [signal for signal in signals.sound if signal.is_fact] if signals else []
    if facts and settings is not None and settings.flags_when_fact_missing is None:
        what = f"is read from {facts[0].source_in_words}, which an event may lack" if facts[0].text else "is a fact"
        message = f'{quote(facts[0].name)} {what}, and there is no "if_fact_missing"'
        hint = "add if_fact_missing: allow, or flag: what a rule says whose facts are missing"
        diagnostics.error("P020", "settings.yaml", message, hint)


def _read_calibrations(signals: SignalsFile, files: Files, diagnostics: Diagnostics) -> dict[str, Calibration]:
    found: dict[str, Calibration] = {}
    for model, node in signals.calibrations.items():
        calibration = _read_calibration(node, files, diagnostics)
        if calibration is None:
            continue
        if calibration.model == model:
            found[model] = calibration
        else:
            message = f"{quote(node.text)} was measured with the model {quote(calibration.model)}, not {quote(model)}"
            diagnostics.error("P040", node.span, message, "name the file of that model")
    return found


def _read_calibration(node: Scalar, files: Files, diagnostics: Diagnostics) -> Calibration | None:
    content = files.get(node.text)
    if content is None or not node.text.startswith(CALIBRATIONS):
        there = [name for name in files if name.startswith(CALIBRATIONS)]
        hint = choices("the folder", there) if there else "write it with `moderator model calibrate`"
        diagnostics.error("P040", node.span, f"there is no calibration file {quote(node.text)}", hint)
        return None
    if isinstance(content, Unreadable):
        diagnostics.error("P040", node.span, f"{quote(node.text)}: {content.message}", content.hint)
        return None
    return read_calibration(node.text, content, diagnostics)


def _require_files(names: Sequence[str], diagnostics: Diagnostics) -> None:
    kinds = {_kind_of(name) for name in names}
    for kind, hint in _REQUIRED.items():
        if names and kind not in kinds:
            diagnostics.error("P001", f"{kind}.yaml", "this file is missing", hint)


def _trees(files: Iterable[SourceFile], diagnostics: Diagnostics) -> dict[str, Node]:
    trees = {file.name: read_tree(file, diagnostics) for file in files}
    return {name: tree for name, tree in trees.items() if tree is not None}


def _kind_of(name: str) -> Kind:
    match stem_of(name):
        case "settings" | "signals" | "texts" | "exemptions" as stem:
            return stem
        case stem if stem.endswith(".test"):
            return "test"
        case _:
            return "policy"
