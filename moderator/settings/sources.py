"""The four places that settings come from, each as values by path."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from moderator.errors import ConfigurationError
from moderator.settings.names import PREFIX, known_settings, path_of, variable_of

SECRETS_FOLDER_VARIABLE = "MODERATOR_SECRETS_DIR"
_NEVER_EMPTY = "kafka.group_id"

# Kubernetes sets these in every pod of a namespace with a Service called moderator or moderator-something.
_SERVICE_LINK = re.compile(r"_(service_host|service_port(_\w+)?|port_\d+_(tcp|udp|sctp)(_(proto|port|addr))?)$")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")
_QUOTE = "quote values that begin with `*`, `&`, `!`, `%`, `@`"


@dataclass(frozen=True, slots=True)
class Origin:
    """What one place sets.

    Attributes:
        title: the place, in words.
        paths: every key that is written there, as a path.
        values: what they set, by path, unchecked.
        spell: turns a path into the key as it is written there.
    """

    title: str
    paths: Collection[str]
    values: Mapping[str, object]
    spell: Callable[[str], str] = str

    def name(self, path: str) -> str:
        """Name a setting as the user wrote it, and where."""
        return f"`{self.spell(path)}` in {self.title}"


def unknown_in(origin: Origin) -> Iterator[str]:
    """Give a line for each key that is no setting, with the nearest one that is."""
    known = list(known_settings())
    for path in origin.paths:
        if path in known:
            continue
        members = [name for name in known if name.startswith(f"{path}.")]
        if members:
            yield f"{origin.name(path)} is a group of settings, such as `{origin.spell(members[0])}`"
            continue
        nearest = difflib.get_close_matches(path, known, n=1, cutoff=0.0)[0]
        yield f"{origin.name(path)} is not a setting; the nearest is `{origin.spell(nearest)}`"


def from_flags(overrides: Mapping[str, object]) -> Origin:
    """Take what flags say; None means that the flag was not given."""
    given = {path: value for path, value in overrides.items() if value is not None}
    return Origin("the command line", given, given)


def from_environment(environ: Mapping[str, str]) -> Origin:
    """Take every `MODERATOR_…` variable."""
    ours = {name: value for name, value in environ.items() if _is_ours(name) and not _is_foreign(name, value)}
    return _by_variables("the environment", ours)


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _is_foreign(name: str, value: str) -> bool:
    is_address = name.upper().endswith("_PORT") and _SERVICE_ADDRESS.match(value)
    return name.upper() == SECRETS_FOLDER_VARIABLE or bool(is_address or _SERVICE_LINK.search(name.lower()))


def from_secrets(environ: Mapping[str, str]) -> Origin:
    """Take the files called like variables in the folder that `MODERATOR_SECRETS_DIR` names."""
    folder = environ.get(SECRETS_FOLDER_VARIABLE)
    if not folder:
        return Origin("no folder of secrets", (), {})
    try:
        return _by_files(f"the folder `{folder}`", *_read_secrets(Path(folder).expanduser()))
    except FileNotFoundError:
        why = f'directory "{Path(folder).expanduser().resolve()}" does not exist'
    except UnicodeDecodeError:
        why = "a file there is not UTF-8 text"
    except OSError as error:
        why = str(error.strerror)
    raise ConfigurationError(f"`{SECRETS_FOLDER_VARIABLE}` is `{folder}`: {why}") from None


def _read_secrets(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Give the names of all files, and the content of those called like a setting; Kubernetes' own begin with a dot."""
    files = [file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file()]
    known = [file for file in files if _is_ours(file.name) and path_of(file.name) in known_settings()]
    return [file.name for file in files], {file.name: _without_line_break(file.read_text("utf-8")) for file in known}


def _without_line_break(text: str) -> str:
    """Cut one final line break, which editors add; all else may belong to a secret."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def _by_files(title: str, names: Iterable[str], contents: Mapping[str, str]) -> Origin:
    # a dot would make a path of a name that is none
    spelled = {path_of(name) if _is_ours(name) else name.replace(".", "_"): name for name in names}
    values = _without_empty({path_of(name): content for name, content in contents.items()})
    return Origin(title, spelled, values, lambda path: spelled.get(path) or variable_of(path))


def _by_variables(title: str, variables: Mapping[str, str]) -> Origin:
    known = known_settings()
    ours = {path_of(name): value for name, value in variables.items()}
    values = _without_empty({path: value for path, value in ours.items() if path in known})
    return Origin(title, ours, values, variable_of)


def _without_empty(values: Mapping[str, str]) -> dict[str, str]:
    """Take empty values as unset: compose files pass on a variable that is not set as an empty one.

    An empty group stays, and is refused: its replicas would join the default group and share that one's work.
    """
    return {path: value for path, value in values.items() if value or path == _NEVER_EMPTY}


def from_file(path: Path) -> Origin:
    """Take a YAML file's keys; a file that is not there sets nothing."""
    if not path.exists():
        return Origin(f"`{path}`", (), {})
    content = _read_yaml(path)
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"`{path}` should hold settings by name, such as `kafka:` and below it `group_id: …`")
    keys = dict(_flatten(content))
    _refuse_strays(path, keys)
    values = {key: value for key, value in keys.items() if value is not None}
    return Origin(f"`{path}`", values, values)


def _refuse_strays(path: Path, keys: Mapping[str, object]) -> None:
    """Stop at an unknown key without a value; it is not shown, for it may be a piece of a secret: `{password: a,b}`."""
    known = known_settings()
    groups = {name.rpartition(".")[0] for name in known}
    strays = [key for key, value in keys.items() if value is None and key not in known and key not in groups]
    if strays:
        group = strays[0].rpartition(".")[0]
        below = f" below `{group}`" if group else ""
        raise ConfigurationError(
            f"`{path}`: a key{below} has no value and is no setting; write `name: value`, and quote values with a `,`"
        )


def _read_yaml(path: Path) -> object:
    # the parser's own texts quote the file, and that may hold secrets
    try:
        content: object = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except DuplicateKeyError as error:
        raise ConfigurationError(f"`{path}`{_line_of(error)}: a key occurs twice") from None
    except MarkedYAMLError as error:
        raise ConfigurationError(
            f"`{path}`{_line_of(error)}: not valid YAML: check its indentation, and {_QUOTE}"
        ) from None
    except (YAMLError, UnicodeDecodeError):
        raise ConfigurationError(f"`{path}` is not YAML in UTF-8") from None
    except (ValueError, LookupError):  # 2026-99-99 looks like a date, and `!!int x` claims to be a number
        raise ConfigurationError(f"`{path}`: a value is not what it looks like; quote values that are text") from None
    except RecursionError:
        raise ConfigurationError(f"`{path}` is nested too deeply") from None
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be read: {error.strerror}") from None
    return content


def _line_of(error: MarkedYAMLError) -> str:
    return f" line {error.problem_mark.line + 1}" if error.problem_mark else ""


def _flatten(content: Mapping[Any, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    known = known_settings()
    for key, value in content.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and path not in known:  # what is below a setting may be a piece of a secret
            yield from _flatten(value, f"{path}.")
        else:
            yield path, value
