"""`moderator model …`: describe reward models, measure and calibrate them, and train one. Each command has its file."""

import typer

from moderator.cli.model.calibrate import calibrate
from moderator.cli.model.evaluate import evaluate
from moderator.cli.model.info import info
from moderator.cli.model.train import train

app = typer.Typer(name="model", help="Describe reward models, measure and calibrate them, and train one.")
app.command()(calibrate)
app.command()(evaluate)
app.command()(info)
app.command()(train)
