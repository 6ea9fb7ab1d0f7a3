"""The errors of the stream, sorted by what the stream does next. In brackets: the reason with which `run` ends.

    ModeratorError
    ├── ConfigurationError        stop at start-up, exit 2; a human fixes it (configuration)
    │   └── PolicyError             path:line: problem; hint
    ├── InvalidEventError         dead-letter, carry on
    ├── TransientError            back off, retry, then stop without committing
    │   ├── BrokerUnavailableError  exit 3 at start (unreachable)
    │   ├── ReplicaUnreachableError exit 3: no replica answers a command
    │   ├── CacheUnavailableError   decided without the cache instead
    │   └── ScorerUnavailableError  the device failed: exit 4 (device_lost)
    └── StoppedError              exit 4: to continue would do harm
        ├── FencedError               another process owns our instance id (twin)
        ├── DeadLetterLimitError      too large a share of the events cannot be read (dead_letter_limit)
        ├── UndecodableBatchError     the client cannot decode what the broker holds (undecodable_batch)
        ├── DrainTimeoutError         the windows in flight were not published in time (drain_timeout)
        ├── NotPublishingError        Kafka answers, but does not take what we publish (not_publishing)
        ├── RightLostError            a right that we had was taken away (right_lost)
        ├── LostEventsError           events were lost, and the setting says to stop (lost_events)
        └── GroupRefusesError         the consumer group does not accept us (group_refuses)

No stream raises InvalidDecisionError (backtest/decision.py) and DemoFailedError (demo/session.py).

Texts are one line, lower case, in the user's words: what, where, what to do. Never a message's content.
Third-party errors are translated where the client is called and are not raised any further.
"""

from typing import ClassVar

from moderator.events import DeadLetterReason


class ModeratorError(Exception):
    """The root of all errors raised on purpose.

    Attributes:
        end_reason: one word for programs that read how `run` ended.
    """

    end_reason: ClassVar[str] = "crashed"


class ConfigurationError(ModeratorError):
    """Settings, model or arguments are wrong; only a human can fix them."""

    end_reason = "configuration"


class PolicyError(ConfigurationError):
    """The policy folder cannot be used; the text holds every problem, one a line."""


class InvalidEventError(ModeratorError):
    """One record cannot be judged.

    Attributes:
        reason: the dead letter's reason code, one of `moderator.events.DeadLetterReason`.
        field: the path of the wrong field, such as `messages.0.role`; None where none is at fault.
    """

    def __init__(self, reason: DeadLetterReason, error: str, field: str | None = None) -> None:
        super().__init__(error)
        self.reason = reason
        self.field = field


class TransientError(ModeratorError):
    """Something outside does not answer at present."""


class BrokerUnavailableError(TransientError):
    """Kafka does not answer."""

    end_reason = "unreachable"


class ReplicaUnreachableError(TransientError):
    """No replica answers at the address that a command was given."""

    end_reason = "unreachable"


class CacheUnavailableError(TransientError):
    """Redis does not answer."""


class ScorerUnavailableError(TransientError):
    """The device or the model failed as a whole; nothing was scored."""

    end_reason = "device_lost"


class StoppedError(ModeratorError):
    """To continue would do harm; nothing uncommitted is lost by stopping."""


class FencedError(StoppedError):
    """Another process uses our instance id or transactional id."""

    end_reason = "twin"


class DeadLetterLimitError(StoppedError):
    """The share of unreadable events passed the limit."""

    end_reason = "dead_letter_limit"


class UndecodableBatchError(StoppedError):
    """The client cannot decode a batch that the broker holds."""

    end_reason = "undecodable_batch"


class DrainTimeoutError(StoppedError):
    """The windows in flight were not published within the drain time."""

    end_reason = "drain_timeout"


class NotPublishingError(StoppedError):
    """Kafka answers, but what we publish never arrives."""

    end_reason = "not_publishing"


class RightLostError(StoppedError):
    """The brokers' access lists do not allow any more what they allowed at start."""

    end_reason = "right_lost"


class LostEventsError(StoppedError):
    """Position and log do not agree, and `MODERATOR_KAFKA__ON_LOST_EVENTS` is `stop`."""

    end_reason = "lost_events"


class GroupRefusesError(StoppedError):
    """The consumer group does not accept this member."""

    end_reason = "group_refuses"


def reason_of(error: OSError) -> str:
    """Give the operating system's reason, as part of an error text of ours."""
    return (error.strerror or "unknown reason").lower()
