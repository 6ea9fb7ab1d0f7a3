"""Options that several commands take."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderator.settings import Settings

NoCompile = Annotated[
    bool, typer.Option("--no-compile", help="Do not compile the model's layers on CUDA: a quicker start.")
]
Draft = Annotated[
    bool,
    typer.Option("--draft", help="Use policies that fail their own tests too; decisions then say `draft`."),
]
Events = Annotated[
    str,
    typer.Option(
        metavar="FILE|-|kafka[:RANGE]",
        help="Recorded decisions: a file, one a line; - is standard input; `kafka` the flag and allow topics, "
        "`kafka:2026-10-01..2026-10-08` by time, `kafka:moderation.flag/0@100..200` by offsets.",
    ),
]
Brokers = Annotated[str | None, typer.Option(help="Kafka brokers, comma-separated; for `--events kafka…`.")]
KafkaBrokers = Annotated[str | None, typer.Option(help="Kafka brokers, comma-separated.")]
RunId = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="Names the run: the same command with the same one goes on."),
]
RunRate = Annotated[int | None, typer.Option(min=1, metavar="N", help="Records a second at most.")]


def quietly_loaded(bootstrap_servers: str | None, flags: Mapping[str, object] | None = None) -> "Settings":
    """Load the settings for a command whose answer is what it prints: below a warning nothing is logged.

    `flags` are further settings that the command line gives; None is unset.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    from moderator.observability.logging import configure_logging
    from moderator.settings import load_settings

    settings = load_settings({"kafka.bootstrap_servers": bootstrap_servers, **(flags or {})})
    configure_logging("error" if settings.log.level == "error" else "warning")
    return settings
