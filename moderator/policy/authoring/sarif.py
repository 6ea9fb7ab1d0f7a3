"""Problems as SARIF 2.1.0, which code hosts show next to the changed lines.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from moderator.policy.syntax.codes import CODES
from moderator.policy.syntax.diagnostics import Diagnostic

Json = dict[str, Any]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_log(problems: Sequence[Diagnostic], folder: Path) -> Json:
    """Give the log of one run; places are relative to where `folder` is relative to."""
    codes = sorted({problem.code for problem in problems})
    driver: Json = {
        "name": "moderator policy check",
        "rules": [_rule(code) for code in codes],
    }
    results = [_result(problem, codes.index(problem.code), folder) for problem in problems]
    run: Json = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> Json:
    text = CODES[code]
    sentence = text.partition(". ")[0].removesuffix(".")
    return {
        "id": code,
        "shortDescription": {"text": f"{sentence}."},
        "fullDescription": {"text": text},
        "help": {"text": text},
    }


def _result(problem: Diagnostic, rule_index: int, folder: Path) -> Json:
    text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return {
        "ruleId": problem.code,
        "ruleIndex": rule_index,
        "level": problem.level,
        "message": {"text": text},
        "locations": [{"physicalLocation": _place(problem, folder)}],
    }


def _place(problem: Diagnostic, folder: Path) -> Json:
    path = folder if problem.file == str(folder) else folder / problem.file
    uri = path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
    place: Json = {"artifactLocation": {"uri": uri}}
    if problem.span is not None:
        span = problem.span
        place["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endColumn": span.column + span.width,
        }
    return place
