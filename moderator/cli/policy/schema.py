"""`moderator policy schema`: what an editor needs to complete and explain policy files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli.files.output_files import refuse_policy_file, write_file
from moderator.cli.policy.output import DEFAULT_FOLDER

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
    from moderator.policy.authoring.schema import policy_schema
    from moderator.policy.files.vocabulary import read_vocabulary

    text = json.dumps(policy_schema(*read_vocabulary(policies)), indent=2, ensure_ascii=False) + "\n"
    if output == STDOUT:
        sys.stdout.write(text)
        return
    default = policies / WHERE
    path = default if output is None else Path(output)
    if path.resolve() != default.resolve():
        refuse_policy_file(path, policies, what="the schema")
    write_file(path, text, hint=f"; let a policy's first line be:\n{COMMENT}" if output is None else "")
