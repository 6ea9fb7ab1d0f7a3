"""`moderator policy schema`: what an editor needs to complete and explain policy files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli.policy.output import DEFAULT_FOLDER, until_nobody_reads
from moderator.errors import ConfigurationError

STDOUT = "-"
WHERE = Path(".schema") / "policy.json"
COMMENT = f"# yaml-language-server: $schema={WHERE.as_posix()}"


def schema(
    policies: Annotated[Path, typer.Option(metavar="DIR", help="The policy folder.")] = DEFAULT_FOLDER,
    output: Annotated[
        str | None, typer.Option(metavar="FILE|-", help=f"Where it goes, else DIR/{WHERE}; - is standard output.")
    ] = None,
) -> None:
    """Write a JSON Schema of policy files, filled with the folder's own signals, fields and reasons."""
    from moderator.policy.tools.schema import policy_schema
    from moderator.policy.tools.vocabulary import read_vocabulary

    settings, signals = read_vocabulary(policies)
    text = json.dumps(policy_schema(settings, signals), indent=2, ensure_ascii=False) + "\n"
    if output == STDOUT:
        with until_nobody_reads():
            sys.stdout.write(text)
        return
    path = policies / WHERE if output is None else Path(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write `{path}`: {(error.strerror or 'unknown reason').lower()}") from error
    hint = f"; let a policy's first line be:\n{COMMENT}" if output is None else ""
    sys.stderr.write(f"wrote {path}{hint}\n")
