"""The parts of the documentation that are made from the code; each is between `<!-- NAME:begin -->` and `:end`."""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from moderator.observability.metrics import metrics_table
from moderator.policy.authoring.language_page import language_page
from moderator.policy.authoring.schema import policy_schema
from moderator.policy.files.vocabulary import read_vocabulary
from moderator.policy.language.comparisons import COMPARISONS, Comparison
from moderator.policy.syntax.codes import CODES
from moderator.settings import settings_table

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden" / "policy"
_NUMBERS = {"number": "N", "percent": "P%", "nothing": ""}
LANGUAGE = Path("docs/policy-language.md")


def generated_docs() -> dict[Path, str]:
    """Give the pages that hold generated parts, with these as the code has them now."""
    parts = {
        Path("docs/reference/settings.md"): {"settings": settings_table()},
        Path("docs/reference/metrics.md"): {"metrics": metrics_table()},
        Path("README.md"): {
            "language": f"```yaml skip: what moderator policy check --about language prints\n{language_page()}```"
        },
        LANGUAGE: {"phrases": phrases_table(), **_key_tables(), "codes": codes_section()},
    }
    return {page: _with_parts(page, texts) for page, texts in parts.items()}


def _with_parts(page: Path, parts: Mapping[str, str]) -> str:
    text = (ROOT / page).read_text("utf-8")
    for name, part in parts.items():
        between = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        if not between.search(text):
            sys.exit(f"{page} lacks the lines `<!-- {name}:begin -->` and `<!-- {name}:end -->`")
        text = between.sub(lambda found, part=part: f"{found[1]}\n{part}\n{found[2]}", text)  # type: ignore[misc]
    return text


def phrases_table() -> str:
    rows = [f"| `{each.write(_NUMBERS[each.takes])}` | {_side(each)} | {_at_limit(each)} |" for each in COMPARISONS]
    return _table(("phrase", "holds when the score is", "a score exactly at the limit"), rows)


def _side(comparison: Comparison) -> str:
    if not comparison.has_limit:
        return "absent or not usable"
    side = "low" if comparison.holds_below else "high"
    return f"among the {side}est P% of the calibration" if comparison.takes == "percent" else f"{side}er than N"


def _at_limit(comparison: Comparison) -> str:
    if not comparison.has_limit:
        return "there is no limit"
    return "holds" if comparison.holds_at else "does not hold"


def _key_tables() -> dict[str, str]:
    schema = policy_schema(*read_vocabulary(ROOT / "policies"))
    rule = schema["definitions"]["rule"]
    return {
        "policy-keys": _keys_table(schema),
        "rule-keys": _keys_table(rule),
        "flag-keys": _keys_table(rule["properties"]["flag"]),
    }


def _keys_table(schema: Mapping[str, Any]) -> str:
    rows = [
        f"| `{key}` | {'yes' if key in schema['required'] else 'no'} | {value['description']} |"
        for key, value in schema["properties"].items()
    ]
    return _table(("key", "required", "meaning"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[str]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *rows]) + "\n"


def codes_section() -> str:
    """Give each code with its meaning and the first text of it in `tests/golden`."""
    return "\n".join(
        f"#### {code}\n\n{meaning}\n\n```text golden\n{example(code)}```\n" for code, meaning in CODES.items()
    )


def example(code: str) -> str:
    """Give one problem of the code, as it is printed."""
    outputs = (case.read_text("utf-8").partition(">>> output\n")[2] for case in sorted(GOLDEN.glob(f"{code}-*.txt")))
    problem = re.compile(rf"^(?:error|warning|failed|passes|unnoticed) {code} .*\n(?:[ ].*\n)*", re.MULTILINE)
    return next(found[0] for output in outputs if (found := problem.search(output)))
