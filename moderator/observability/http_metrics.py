"""The metrics of the HTTP API."""

from itertools import product
from typing import Final, get_args

from moderator.events import Status, Verdict
from moderator.observability.catalogue import Catalogue

REFUSED_CODES: Final = (  # from 401 on: a malformed request is its client's affair
    "invalid_api_key",
    "token_required",
    "host_not_allowed",
    "not_found",
    "method_not_allowed",
    "unsupported_media_type",
    "body_too_large",
    "not_ready",
    "draining",
    "batch_too_large",
    "bad_schema",
    "no_text",
    "too_large",
    "overloaded",
    "deadline_exceeded",
    "crashed_scorer",
    "internal",
)
OTHER: Final = "other"
ROUTES: Final = (
    "/v1/moderations",
    "/v1/decisions",
    "/v1/status",
    "/beta/litellm_basic_guardrail_api",
    "/openapi.json",
    OTHER,
)
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class HttpMetrics:
    """What requests did; safe to use from several threads."""

    def __init__(self, new: Catalogue) -> None:
        self.requests = new.counter(
            "moderator_http_requests_total",
            "Requests answered, except probes and metrics.",
            zeros=((route, "404" if route == OTHER else "200") for route in ROUTES),
            route="its path, or `other`",
            status="three digits; 499: the client hung up",
        )
        self.request_seconds = new.histogram(
            "moderator_http_request_seconds",
            "From the request's last byte to the answer.",
            _SECONDS,
            route="its path, or `other`",
        )
        for route in ROUTES:
            self.request_seconds.labels(route)
        self.decisions = new.counter(
            "moderator_http_decisions_total",
            "Decisions answered and not published; `moderator_decisions_total` stays what is published.",
            zeros=product(get_args(Verdict), get_args(Status)),
            verdict="`allow`, `flag`",
            status="`scored`, `degraded`, `unscored`",
        )
        self.refused = new.counter(
            "moderator_http_refused_total",
            "Requests refused.",
            zeros=((code,) for code in REFUSED_CODES),
            code="the codes of errors",
        )
        self.queue_events = new.gauge("moderator_http_queue_events", "Texts that wait for a pass.")
        self.wait_seconds = new.histogram(
            "moderator_http_wait_seconds", "From a text's arrival to the start of its pass.", _SECONDS
        )
        self.skipped_parts = new.counter(
            "moderator_http_skipped_parts_total", "Images and other parts that were not judged."
        )
