"""`moderator model …`: describe, measure and calibrate models, add objectives, train one. Each command has its file."""

import typer

from moderator.cli.model.calibrate import calibrate
from moderator.cli.model.evaluate import evaluate
from moderator.cli.model.info import info
from moderator.cli.model.labels import labels
from moderator.cli.model.probe import probe
from moderator.cli.model.train import train

app = typer.Typer(name="model", help="Describe, measure and calibrate models, add objectives to them, and train one.")
app.command()(calibrate)
app.command()(evaluate)
app.command()(info)
app.command()(labels)
app.command()(probe)
app.command()(train)
