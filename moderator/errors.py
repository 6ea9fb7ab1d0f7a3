"""The errors of the stream, sorted by what the stream does next.

    ModeratorError
    ├── ConfigurationError        stop at start-up, exit 2; a human fixes it
    │   └── PolicyError             path:line: problem; hint
    ├── InvalidEventError         dead-letter, carry on
    ├── TransientError            back off, retry, then stop without committing
    │   ├── BrokerUnavailableError  exit 3 at start
    │   ├── CacheUnavailableError   decided without the cache instead
    │   └── ScorerUnavailableError  the device failed: exit 4
    └── StoppedError              exit 4: to continue would do harm
        ├── FencedError               another process owns our instance id
        ├── DeadLetterLimitError    too large a share of the events cannot be read
        ├── UndecodableBatchError   the client cannot decode what the broker holds
        └── LostEventsError         events are lost, and the settings say to stop then

No stream raises InvalidDecisionError (backtest/decision.py) and DemoFailedError (demo/session.py).

Texts are one line, lower case, in the user's words: what, where, what to do. Never a message's content.
Third-party errors are translated where the client is called and are not raised any further.
"""

from moderator.events import DeadLetterReason


class ModeratorError(Exception):
    """The root of all errors raised on purpose."""


class ConfigurationError(ModeratorError):
    """Settings, model or arguments are wrong; only a human can fix them."""


class PolicyError(ConfigurationError):
    """The policy folder cannot be used; the text holds every problem, one a line."""


class InvalidEventError(ModeratorError):
    """One record cannot be judged.

    Attributes:
        reason: the dead letter's reason code, one of `moderator.events.DeadLetterReason`.
    """

    def __init__(self, reason: DeadLetterReason, error: str) -> None:
        super().__init__(error)
        self.reason = reason


class TransientError(ModeratorError):
    """Something outside does not answer at present."""


class BrokerUnavailableError(TransientError):
    """Kafka does not answer."""


class CacheUnavailableError(TransientError):
    """Redis does not answer."""


class ScorerUnavailableError(TransientError):
    """The device or the model failed as a whole; nothing was scored."""


class StoppedError(ModeratorError):
    """To continue would do harm; nothing uncommitted is lost by stopping."""


class FencedError(StoppedError):
    """Another process uses our instance id or transactional id."""


class DeadLetterLimitError(StoppedError):
    """The share of unreadable events passed the limit."""


class UndecodableBatchError(StoppedError):
    """The client cannot decode a batch that the broker holds."""


class LostEventsError(StoppedError):
    """Position and log do not agree, and `MODERATOR_KAFKA__ON_LOST_EVENTS` is `stop`."""


def reason_of(error: OSError) -> str:
    """Give the operating system's reason, as part of an error text of ours."""
    return (error.strerror or "unknown reason").lower()
