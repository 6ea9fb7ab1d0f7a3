"""`moderator topics`: the topics of the stream, and that of people's labels."""

from typing import Annotated

import typer

app = typer.Typer(name="topics", help="The topics of the stream, and that of people's labels.")


@app.callback()
def topics() -> None:
    """Keep `create` a command of its own: typer would otherwise put it in the place of `topics`."""


@app.command()
def create(
    partitions: Annotated[
        int, typer.Option(min=1, help="Partitions of each topic: at most so many replicas of `run` can share the work.")
    ] = 6,
    replication: Annotated[
        int, typer.Option(min=-1, help="Copies of each partition; -1: what the brokers have as their default.")
    ] = -1,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Brokers, comma-separated.")] = None,
) -> None:
    """Create the topics that are missing; those that exist stay as they are."""
    from moderator.observability.logging import configure_logging
    from moderator.settings import load_settings
    from moderator.stream.kafka.topics import create_topics

    settings = load_settings({"kafka.bootstrap_servers": bootstrap_servers})
    # the answer is what is printed; below a warning there is only the client's messages about its connections
    configure_logging("error" if settings.log.level == "error" else "warning")
    for topic, is_new in create_topics(settings.kafka, partitions=partitions, replication=replication).items():
        typer.echo(f"{topic}: {'created' if is_new else 'exists already, left as it is'}")
