"""`moderator model labels`: what people said of verdicts, as labelled events for one objective."""

import sys
from typing import Annotated

import typer

from moderator.cli.files.known_texts import sent_events
from moderator.cli.files.recorded_labels import read_any_labels
from moderator.cli.options import KafkaBrokers
from moderator.errors import ConfigurationError


def labels(
    *,
    labels: Annotated[  # the option's name
        str, typer.Option(metavar="FILE|kafka", help="Labels of verdicts; `kafka` reads the topic of the page Review.")
    ],
    events: Annotated[
        str,
        typer.Option(
            metavar="FILE|-|kafka[:RANGE]", help="The events as they were sent; `kafka` the events topic, or a range."
        ),
    ],
    objective: Annotated[str, typer.Option(metavar="NAME", help="What a flag means; allow is 0.")],
    bootstrap_servers: KafkaBrokers = None,
) -> None:
    """Print the labelled events, one a line, as `model probe` and `model evaluate` take them."""
    from moderator.cli.options import quietly_loaded
    from moderator.evaluation.labelling import labelled_lines
    from moderator.probes import require_name

    require_name(objective, "`--objective`")
    settings = quietly_loaded(bootstrap_servers)
    given = read_any_labels(labels, bootstrap_servers)
    written = 0
    with sent_events(events, settings) as records:
        for line in labelled_lines(records, given, objective, settings):
            sys.stdout.buffer.write(line)
            written += 1
    if not written:
        raise ConfigurationError(f"`{events}` holds none of the {len(given.verdicts):,} labelled events")
    sys.stderr.write(f"{written:,} of {len(given.verdicts):,} labelled events\n")
