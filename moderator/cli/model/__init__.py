"""`moderator model …`: describe reward models, calibrate them, and train one. Each command has its file."""

import typer

from moderator.cli.model.calibrate import calibrate
from moderator.cli.model.info import info
from moderator.cli.model.train import train

app = typer.Typer(name="model", help="Describe reward models, calibrate them, and train one.")
app.command()(calibrate)
app.command()(info)
app.command()(train)
