"""Settings: one frozen model per part, the unit in the name, the reason in the description.

Read from the environment (`MODERATOR_…`, nested with `__`), an optional `moderator.yaml` in the working folder, and
files of secrets. Unknown keys stop start-up.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from moderator.events import IncludeContent


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(_Part):
    """Brokers, topics, delivery and credentials."""

    bootstrap_servers: str = Field("localhost:9092", min_length=1, description="Brokers to start from, comma-separated.")
    group_id: str = Field("moderator", min_length=1, description="Consumer group; replicas that share work share it.")
    events_topic: str = Field("chat.events", min_length=1, description="Chat events to judge.")
    flag_topic: str = Field("moderation.flag", min_length=1, description="Decisions whose verdict is flag.")
    allow_topic: str = Field("moderation.allow", min_length=1, description="Decisions whose verdict is allow.")
    dead_letter_topic: str = Field(
        "moderation.dead-letter", min_length=1, description="Records that cannot be judged, bytes untouched."
    )
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once", description="One transaction per window, or flush then commit (duplicates possible, losses never)."
    )
    start_at: Literal["earliest", "latest"] = Field(
        "earliest", description="Where a group without committed offsets begins."
    )
    instance_id: str | None = Field(
        None,
        min_length=1,
        description="Stable name of this replica (StatefulSet, systemd): a restart takes over in about a second. "
        "Unset: random, the group notices a crash after 10 s.",
    )
    start_timeout_s: float = Field(60.0, gt=0, description="How long to wait for Kafka at start before exit 3.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER", "AWS_MSK_IAM"] | None = (
        Field(None, description="SASL mechanism, with a SASL protocol.")
    )
    sasl_username: str | None = Field(None, description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    ssl_cafile: Path | None = Field(None, description="Certificates to trust; unset: the system's.")
    ssl_certfile: Path | None = Field(None, description="Client certificate.")
    ssl_keyfile: Path | None = Field(None, description="Client key.")


class RedisSettings(_Part):
    """The caches."""

    url: SecretStr | None = Field(
        None, description="redis:// or rediss:// address; unset: scores are cached in memory, verdicts nowhere."
    )
    deadline_ms: int = Field(100, gt=0, description="A look-up that takes longer is a miss.")
    score_ttl_s: int = Field(7 * 86_400, gt=0, description="How long a score is kept.")
    verdict_ttl_s: int = Field(86_400, gt=0, description="How long a verdict can be asked for by event id.")


class ModelSettings(_Part):
    """The reward model."""

    path: str | None = Field(
        None, min_length=1, description="A folder, a hub id, or `builtin` (a practice model); `run` wants one named."
    )
    device: str = Field("auto", description="`auto`, `cpu`, `cuda`, `cuda:1`, `mps`.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="The backbone's precision; auto: the checkpoint's on an accelerator, float32 on CPU."
    )
    max_input_tokens: int | None = Field(
        None, ge=32, description="Longer conversations are truncated; unset: the lesser of 4,096 and the model's positions."
    )


class PoliciesSettings(_Part):
    """The rules."""

    path: Path = Field(Path("policies"), description="Folder with settings.yaml, signals.yaml and the policies.")


class WindowSettings(_Part):
    """How much is scored and published together; two windows are in flight."""

    max_events: int = Field(4_000, gt=0, description="Events in a window.")
    max_bytes: int = Field(16 * 2**20, gt=0, description="Record bytes in a window: bounds memory.")
    max_tokens: int = Field(
        262_144, gt=0, description="Tokens in a window, guessed at 4 bytes each: bounds how long a window is scored."
    )


class DeadLettersSettings(_Part):
    """When too much is unreadable."""

    max_ratio: float = Field(
        0.5, gt=0, le=1, description="Stop when more than this share of the last 1,000 records are dead letters."
    )


class HttpSettings(_Part):
    """Health and metrics."""

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0: any free one.")


class LogSettings(_Part):
    """Logs: JSON lines on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is written.")
