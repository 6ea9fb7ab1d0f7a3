"""What can be set: one frozen model per part, the unit in the name, the reason in the description."""

import re
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from moderator.events import IncludeContent
from moderator.settings.console import ConsoleSettings
from moderator.settings.part import Part
from moderator.settings.tokens import demand_tokens

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\](?=:)|[^\s:/\[\]]+)(:(?P<port>\d{1,5}))?")
_DEFAULT_PORT = 9092
_LAST_PORT = 65_535
_DAY_S = 86_400
_TEN_YEARS_S = 3_650 * _DAY_S


Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]


class KafkaSettings(Part):
    """Brokers, topics, delivery and credentials."""

    bootstrap_servers: str = Field(
        "localhost:9092", min_length=1, description="Brokers to connect to first, comma-separated."
    )
    group_id: str = Field(
        "moderator", min_length=1, description="Consumer group; replicas with the same one share the work."
    )
    events_topic: str = Field("chat.events", min_length=1, description="Chat events to judge.")
    flag_topic: str = Field("moderation.flag", min_length=1, description="Decisions whose verdict is flag.")
    allow_topic: str = Field("moderation.allow", min_length=1, description="Decisions whose verdict is allow.")
    dead_letter_topic: str = Field(
        "moderation.dead-letter", min_length=1, description="Records that cannot be judged, bytes untouched."
    )
    labels_topic: str = Field("moderation.labels", min_length=1, description="People's labels.")
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="`exactly_once`: one transaction per window. `at_least_once`: flush, then commit; duplicates are "
        "possible, losses are not.",
    )
    start_at: str | None = Field(
        None,
        description="Where a new group begins, one without positions: `earliest`, `latest`, or a time, the brokers', "
        "such as `2026-11-29T06:00:00Z`. Unset: at the oldest event, but only while no output topic has ever held "
        "anything.",
    )
    on_lost_events: Literal["continue", "stop"] = Field(
        "continue",
        description="When the group's position is not in the log any more: `continue` at the nearest right place, with "
        "a warning and a count, or `stop` with exit 4.",
    )
    compression: Compression = Field(
        "lz4",
        description="How everything written is compressed: `none`, `gzip`, `snappy`, `lz4` or `zstd`. `gzip` costs a "
        "hundred times as much; kafkajs without plugins reads nothing else.",
    )
    client_id: str | None = Field(
        None,
        min_length=1,
        description="`client.id` of all Kafka clients of this replica, for the brokers' logs and quotas; unset: "
        "`moderator-` and the instance id, else 8 random hex digits.",
    )
    instance_id: str | None = Field(
        None,
        min_length=1,
        description="Stable name of this replica, as a StatefulSet or systemd can give: after a crash it takes over "
        "again as soon as it is up. Unset: a random name, and the group notices the crash after 10 s.",
    )
    start_timeout_s: float = Field(60.0, gt=0, description="How long to wait for Kafka at start before exit 3.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; needs a SASL protocol, a user and a password."
    )
    sasl_username: str | None = Field(None, description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    ssl_cafile: Path | None = Field(None, description="Certificates to trust; unset: the system's.")
    ssl_certfile: Path | None = Field(None, description="Client certificate.")
    ssl_keyfile: Path | None = Field(None, description="Client key.")

    @field_validator("bootstrap_servers")
    @classmethod
    def _demand_addresses(cls, servers: str) -> str:
        for server in servers.split(","):
            if "://" in server:
                raise ValueError(
                    f"should be `host:port`, comma-separated, without `{server.strip().partition('://')[0]}://`"
                )
            address = _ADDRESS.fullmatch(server.strip())
            if address is None or not 0 < int(address["port"] or _DEFAULT_PORT) <= _LAST_PORT:
                raise ValueError(f"should be `host:port`, comma-separated; `{server.strip()}` is not")
        return servers

    @field_validator("start_at")
    @classmethod
    def _demand_a_place(cls, at: str | None) -> str | None:
        if at is not None and at not in {"earliest", "latest"} and not _is_time(at):
            raise ValueError("should be `earliest`, `latest` or a time such as `2026-11-29T06:00:00Z`")
        return at

    @field_validator("ssl_cafile", "ssl_certfile", "ssl_keyfile")
    @classmethod
    def _demand_files(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError("there is no such file")
        return path

    @model_validator(mode="after")
    def _keep_topics_apart(self) -> Self:
        outputs = {self.flag_topic, self.allow_topic}
        if self.events_topic in outputs | {self.dead_letter_topic}:
            raise ValueError("events_topic is also an output topic: decisions would be judged as events")
        if self.dead_letter_topic in outputs:
            raise ValueError("dead_letter_topic must be a topic of its own")
        if self.labels_topic in outputs | {self.events_topic, self.dead_letter_topic}:
            raise ValueError("labels_topic must be a topic of its own")
        return self

    @model_validator(mode="after")
    def _demand_credentials(self) -> Self:
        if self.security_protocol.startswith("SASL") and self.sasl_mechanism is None:
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_mechanism")
        if self.sasl_mechanism and (self.sasl_username is None or self.sasl_password is None):
            raise ValueError(f"sasl_mechanism {self.sasl_mechanism} needs sasl_username and sasl_password")
        given = [
            name for name in ("sasl_mechanism", "sasl_username", "sasl_password") if getattr(self, name) is not None
        ]
        if given and not self.security_protocol.startswith("SASL"):
            raise ValueError(f"{given[0]} needs a security_protocol of SASL_SSL or SASL_PLAINTEXT")
        return self


def _is_time(text: str) -> bool:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return False
    return at.tzinfo is not None and at.timestamp() >= 0


class RedisSettings(Part):
    """The caches."""

    url: SecretStr | None = Field(
        None, description="redis:// or rediss:// address; unset: scores are cached in memory, verdicts nowhere."
    )
    # five deadlines, a write's, hold up polling, and a member that does not poll for 120 s is removed from its group
    deadline_ms: int = Field(100, gt=0, le=10_000, description="A look-up that takes longer counts as a miss.")
    score_ttl_s: int = Field(7 * 86_400, gt=0, le=_TEN_YEARS_S, description="How long a score is kept.")
    verdict_ttl_s: int = Field(
        86_400, gt=0, le=_TEN_YEARS_S, description="How long a verdict can be asked for by event id."
    )

    @field_validator("url")
    @classmethod
    def _demand_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("should start with redis://, rediss:// or unix://")
        return url


class ModelSettings(Part):
    """The reward model."""

    path: str | None = Field(
        None, min_length=1, description="A folder, a hub id, or `builtin` (a practice model); `run` needs one."
    )
    device: str = Field("auto", description="`cpu`, `cuda`, `cuda:1`, `mps`, or `auto`: CUDA, else MPS, else CPU.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="The backbone's precision; auto: the checkpoint's where the device is fast in it (accelerators, "
        "except for bfloat16 on CUDA below compute capability 8.0; bfloat16 on CPUs with AMX), else float32.",
    )
    max_input_tokens: int | None = Field(
        None,
        ge=32,
        description="Longer conversations are truncated; unset: the lesser of 4,096 and the model's positions.",
    )
    max_passages: int | None = Field(
        None,
        ge=1,
        le=64,
        description="A message that is too long to be read at once is read in at most so many overlapping passages, of "
        "which the worst counts; 1: head and tail are read. Unset: the checkpoint's, else 8.",
    )
    passage_tokens: int | None = Field(
        None,
        ge=16,
        description="Messages of more tokens are read in passages of so many; unset: the checkpoint's, else what the "
        "input holds.",
    )
    message_context_turns: int | None = Field(
        None,
        ge=0,
        description="Turns read before a judged message that is not the assistant's; 0: it is read alone. Unset: the "
        "checkpoint's, else all.",
    )
    reply_context_turns: int | None = Field(
        None,
        ge=0,
        description="Turns read before a judged reply of the assistant, of which the newest is its question. Unset: "
        "the checkpoint's, else all.",
    )
    pack_tokens: int | None = Field(
        None,
        ge=64,
        description="Tokens of one forward pass: more means a longer wait, hardly more throughput; unset: 8,192 on "
        "CUDA, 1,024 elsewhere.",
    )
    compile: bool = Field(
        True,
        description="Compile the model's layers on CUDA: faster, but the first start on a machine takes longer, and "
        "needs a C compiler there.",
    )
    deterministic: bool = Field(
        False,
        description="An event's score is then the same to the last bit whatever else is scored with it, except while "
        "memory is short. Pads packs to one size, shares no prefixes, and costs throughput.",
    )
    check: bool = Field(
        True,
        description="Compare tokens and scores with transformers' own at start, and refuse a model that differs.",
    )
    template: str | None = Field(
        None, min_length=1, description="Which of the checkpoint's named chat templates to use; unset: `default`."
    )
    reads: Literal["auto", "conversation", "message"] = Field(
        "auto",
        description="What the model was trained on: conversations in its chat template's form, or bare messages; auto: "
        "conversations where there is a template, and for encoders without one messages.",
    )
    scale: Literal["raw", "sigmoid", "softmax"] | None = Field(
        None,
        description="What a classifier's outputs are: rewards (`raw`), a probability for each label (`sigmoid`), or "
        "labels that exclude one another (`softmax`); unset: as `problem_type` in its config says.",
    )
    verdicts: Path | None = Field(
        None,
        description="What a guard (a text generator) may answer, a YAML file; unset: known by its chat template "
        "(Llama Guard 3, Qwen3Guard-Gen).",
    )
    force_cpu: bool = Field(
        False, description="Score on a CPU even with more than a billion parameters, at seconds for each event."
    )


class ReadingSettings(Part):
    """What of a message is judged besides its text."""

    reasoning: Literal["skip", "judge"] = Field(
        "skip", description="`judge`: an assistant's reasoning is judged, before its content; `skip`: it is counted."
    )
    tool_calls: Literal["skip", "judge"] = Field(
        "skip",
        description="`judge`: each tool call's name and arguments are judged, after the content; `skip`: they are "
        "counted.",
    )


class PoliciesSettings(Part):
    """The rules."""

    path: Path = Field(
        Path("policies"),
        description="Folder with settings.yaml, signals.yaml and the policies; edits take effect without a restart.",
    )
    state_dir: Path | None = Field(
        None,
        description="Folder for accepted policies, by snapshot. Where the policies are wrong at start, `run` starts "
        "with the last accepted ones instead of exit 2. Replicas of one group may share it. Unset: nothing is kept.",
    )
    max_stale_s: float | None = Field(
        None,
        gt=0,
        description="`/readyz` fails once the folder has differed from the policies in effect for so long; unset: "
        "never.",
    )


class WindowSettings(Part):
    """How much is scored and published together; two windows are in flight."""

    max_events: int = Field(4_000, gt=0, description="Most events in a window.")
    max_bytes: int = Field(16 * 2**20, gt=0, description="Most record bytes in a window: bounds memory.")
    max_tokens: int = Field(
        262_144,
        gt=0,
        description="Tokens in a window, guessed at 4 bytes each, 8 a turn; fewer where scoring them takes over 5 s.",
    )


class DeadLettersSettings(Part):
    """When too much is unreadable."""

    max_ratio: float = Field(
        0.5, gt=0, le=1, description="Stop when more than this share of the last 1,000 records are dead letters."
    )


class HttpSettings(Part):
    """Health, metrics and the HTTP API."""

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0: any free one.")
    token: SecretStr | None = Field(
        None,
        description="Tokens that open the API, comma-separated, each of 16 to 512 visible ASCII characters. Needed "
        "where `HOST` is not a loopback address.",
    )
    deadline_ms: int = Field(
        10_000, gt=0, le=600_000, description="Longest time from a request's headers to the answer; 504 after it."
    )
    max_body_bytes: int = Field(4 * 2**20, gt=0, description="A larger body is refused, 413.")
    max_batch: int = Field(256, gt=0, description="Most inputs or events in a request.")
    queue_events: int = Field(1_024, gt=0, description="Texts that may wait for a pass; more: 429.")
    stream_pass_ms: int = Field(
        50,
        ge=0,
        le=10_000,
        description="While interactive requests come in, the stream's passes are kept about this short. 0: never "
        "shortened.",
    )

    _check_token = field_validator("token")(demand_tokens)

    @model_validator(mode="after")
    def _demand_room_for_a_batch(self) -> Self:
        if self.queue_events < self.max_batch:
            raise ValueError(f"queue_events is {self.queue_events}, and must be at least max_batch, {self.max_batch}")
        return self


class LogSettings(Part):
    """Logs: JSON lines on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is written.")
    libraries: Literal["info", "warning", "error"] = Field(
        "warning", description="Lowest level of lines that come from libraries, such as Kafka's client."
    )

    @field_validator("level", "libraries", mode="before")
    @classmethod
    def _take_upper_case(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level


class Settings(Part):
    """All settings of every command; reads nothing by itself, `load_settings` gives it what was set."""

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    model: ModelSettings = ModelSettings()
    reading: ReadingSettings = ReadingSettings()
    policies: PoliciesSettings = PoliciesSettings()
    window: WindowSettings = WindowSettings()
    dead_letters: DeadLettersSettings = DeadLettersSettings()
    http: HttpSettings = HttpSettings()
    console: ConsoleSettings = ConsoleSettings()
    log: LogSettings = LogSettings()
    max_event_bytes: int = Field(2**20, gt=0, description="A larger record is a dead letter, `too_large`.")
    include_content: IncludeContent = Field(
        "none", description="`full` puts the messages' text into decisions; logs and Redis never hold it."
    )
    drain_timeout_s: float = Field(
        30.0,
        gt=0,
        le=_DAY_S,
        description="How long a replica may take after SIGTERM to publish the windows in flight; the rest is left to "
        "the next owner.",
    )
