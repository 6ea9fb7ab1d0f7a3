"""What can be set for the console."""

import re
from ipaddress import ip_network
from pathlib import Path
from string import Formatter
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from moderator.settings.part import Part
from moderator.settings.tokens import demand_tokens

CONTENT_FIELDS: Final = ("tenant", "conversation_id", "event_id", "channel", "user", "decision_id")
"""What a link to an event's content may name."""
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_ADDRESS: Final = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


class ConsoleSettings(Part):
    """The web console."""

    host: str = Field("127.0.0.1", min_length=1, description="Address that the console listens on.")
    port: int = Field(8090, ge=0, le=65_535, description="Port that it listens on; 0: any free one.")
    token: SecretStr | None = Field(
        None,
        description="Tokens that open the console, comma-separated, each of 16 to 512 visible ASCII characters. This "
        "or `USER_HEADER` is needed where `HOST` is not a loopback address.",
    )
    user_header: str | None = Field(
        None,
        description="Header in which a proxy names the user, such as `X-Forwarded-User`; needs the next one.",
    )
    trusted_proxies: str | None = Field(
        None,
        description="Addresses or networks, comma-separated, from which that header is believed; from others it is "
        "ignored.",
    )
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
    scorer_url: str | None = Field(
        None,
        description="A replica's address, such as `http://moderator:8080`, or several, comma-separated: each is asked "
        "which policies decide, the first that answers scores typed text.",
    )
    scorer_token: SecretStr | None = Field(None, description="The token that opens these replicas.")
    content_url: str | None = Field(
        None,
        description="Link to an event's content, such as "
        "`https://chat.example/{tenant}/{conversation_id}?m={event_id}`; also `{channel}`, `{user}` and "
        "`{decision_id}`, each percent-encoded.",
    )
    recent_decisions: int = Field(20_000, gt=0, description="Decisions held in memory, newest first.")
    recent_bytes: int = Field(
        128 * 2**20, gt=0, description="Bytes of records held; whichever bound is met first counts."
    )
    lookback_s: int = Field(86_400, gt=0, description="How far back topics are read at start; labels are read whole.")

    _check_tokens = field_validator("token", "scorer_token")(demand_tokens)

    @field_validator("user_header")
    @classmethod
    def _demand_header(cls, name: str | None) -> str | None:
        if name is not None and not _HEADER.fullmatch(name):
            raise ValueError("should be the name of a header, such as `X-Forwarded-User`")
        return name

    @field_validator("trusted_proxies")
    @classmethod
    def _demand_networks(cls, networks: str | None) -> str | None:
        for network in networks.split(",") if networks is not None else ():
            try:
                ip_network(network.strip())
            except ValueError:
                raise ValueError("should be addresses or networks such as `10.0.0.0/8`, comma-separated") from None
        return networks

    @field_validator("scorer_url")
    @classmethod
    def _demand_addresses(cls, urls: str | None) -> str | None:
        for url in urls.split(",") if urls is not None else ():
            if not _ADDRESS.fullmatch(url.strip()):
                raise ValueError("should be `http://HOST:PORT`, or several, comma-separated")
        return urls

    @field_validator("content_url")
    @classmethod
    def _demand_link(cls, link: str | None) -> str | None:
        if link is None:
            return None
        try:
            fields = [field for _, field, form, conversion in Formatter().parse(link) if field is not None]
            is_plain = all(not form and not conversion for _, _, form, conversion in Formatter().parse(link))
            parts = urlsplit(link)
        except ValueError:
            raise ValueError(
                "should be a link with placeholders such as `{event_id}`; write `{{` for a brace"
            ) from None
        if parts.scheme not in {"http", "https"} or not parts.netloc or "{" in parts.netloc:
            raise ValueError("should begin with http:// or https:// and a host")
        if not is_plain or any(field not in CONTENT_FIELDS for field in fields):
            known = ", ".join(f"`{{{field}}}`" for field in CONTENT_FIELDS)
            raise ValueError(f"has a placeholder that is none of {known}")
        return link

    @model_validator(mode="after")
    def _demand_proxies(self) -> Self:
        if self.user_header is not None and self.trusted_proxies is None:
            raise ValueError("user_header needs trusted_proxies: from other addresses the header cannot be trusted")
        return self
