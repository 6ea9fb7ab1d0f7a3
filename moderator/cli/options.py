"""Options that several commands take."""

from typing import Annotated

import typer

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
