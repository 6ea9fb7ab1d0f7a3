"""`moderator policy …`: the loader and judge of `run`; no torch, Kafka or Redis. Each command has its file."""

import typer

from moderator.cli.policy.backtest import backtest
from moderator.cli.policy.bench import bench
from moderator.cli.policy.check import check
from moderator.cli.policy.diff import diff
from moderator.cli.policy.explain import explain
from moderator.cli.policy.init import init
from moderator.cli.policy.schema import schema
from moderator.cli.policy.status import status
from moderator.cli.policy.tests import run_tests

app = typer.Typer(name="policy", help="Check, test, explain and compare policy folders.")
app.command()(init)
app.command()(check)
app.command("test")(run_tests)
app.command()(explain)
app.command()(diff)
app.command()(backtest)
app.command()(bench)
app.command()(status)
app.command()(schema)
