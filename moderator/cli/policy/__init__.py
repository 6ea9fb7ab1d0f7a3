"""`moderator policy …`: the loader and judge of `run`; no torch, Kafka or Redis. Each command has its file."""

import typer

from moderator.cli.policy.check import check
from moderator.cli.policy.tests import run_tests

app = typer.Typer(name="policy", help="Check and test a policy folder.", no_args_is_help=True)
app.command()(check)
app.command("test")(run_tests)
