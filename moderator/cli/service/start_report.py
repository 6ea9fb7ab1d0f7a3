"""What `moderator run --check` prints: one line for each check, or one JSON object."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from moderator.cli import exit_codes
from moderator.errors import ConfigurationError, ModeratorError

if TYPE_CHECKING:
    from moderator.settings import Settings

State = Literal["ok", "wrong", "unreachable", "skipped"]
_SETTINGS: Final = "settings"


class Result(NamedTuple):
    """What one check found.

    Attributes:
        detail: in a few words; what is wrong, where something is.
        hint: what to do about it; None where that is not known.
    """

    check: str
    state: State
    detail: str
    hint: str | None = None


def report_start(load: Callable[[], "Settings"], *, is_json: bool) -> int:
    """Make every check of a start that loads, joins and listens to nothing; print each, and give the exit code."""
    results = []
    for result in _results(load):
        results.append(result)
        if not is_json:
            sys.stdout.write(_line(result))
            sys.stdout.flush()
    if is_json:
        is_ok = all(result.state == "ok" for result in results)
        sys.stdout.write(json.dumps({"ok": is_ok, "checks": [result._asdict() for result in results]}) + "\n")
    return _exit_code({result.state for result in results})


def _results(load: Callable[[], "Settings"]) -> Iterator[Result]:
    from moderator.wiring.start_checks import NEEDS, ORDER, StartChecks

    loaded: list[Settings] = []
    yield _result(_SETTINGS, lambda: _load(load, loaded))
    if not loaded:
        yield from (_skipped(check, _SETTINGS) for check in ORDER)
        return
    passed = set()
    with StartChecks(loaded[0]) as checks:
        for check in ORDER:
            needed = NEEDS.get(check)
            if needed is not None and needed not in passed:
                yield _skipped(check, needed)
                continue
            result = _result(check, lambda check=check: checks.make(check))  # type: ignore[misc]
            if result.state == "ok":
                passed.add(check)
            yield result


def _load(load: Callable[[], "Settings"], loaded: list["Settings"]) -> str:
    loaded.append(load())
    return "can be read"


def _result(check: str, make: Callable[[], str]) -> Result:
    try:
        return Result(check, "ok", make())
    except ModeratorError as error:
        state: State = "wrong" if isinstance(error, ConfigurationError) else "unreachable"
        detail, _, hint = str(error).partition("; ")
        return Result(check, state, detail, hint or None)


def _skipped(check: str, needed: str) -> Result:
    return Result(check, "skipped", f"needs `{needed}`")


def _line(result: Result) -> str:
    detail = result.detail if result.hint is None else f"{result.detail}; {result.hint}"
    indented = detail.replace("\n", "\n" + " " * 30)
    return f"{result.state:<11} {result.check:<17} {indented}\n"


def _exit_code(states: set[State]) -> int:
    if "wrong" in states:
        return exit_codes.WRONG_CONFIGURATION
    return exit_codes.SERVER_UNREACHABLE if "unreachable" in states else exit_codes.OK
