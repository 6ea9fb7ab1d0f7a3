"""What can be set for the console."""

from pathlib import Path

from pydantic import Field

from moderator.settings.part import Part


class ConsoleSettings(Part):
    """The web console."""

    host: str = Field("127.0.0.1", min_length=1, description="Address that the console listens on.")
    port: int = Field(8090, ge=0, le=65_535, description="Port that it listens on; 0: any free one.")
    decisions_file: Path | None = Field(
        None, description="Decisions to show instead of Kafka's: JSON lines as `moderator score` writes them."
    )
    labels_file: Path | None = Field(
        None, description="File to which labels are appended, one a line, instead of to Kafka."
    )
    read_only: bool = Field(False, description="Nobody can label.")
    review_sample: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of allowed decisions in the review sample; which ones follows from the decision id.",
    )
    recent_decisions: int = Field(20_000, gt=0, description="Decisions held in memory, newest first.")
    recent_bytes: int = Field(
        128 * 2**20, gt=0, description="Bytes of records held; whichever bound is met first counts."
    )
