"""Every name in a trace: those of OpenTelemetry's conventions, which are in development, and ours.

There is no `gen_ai.security.*` among them: the span for guardrails is not part of the conventions yet.
"""

from typing import Final

MODERATE: Final = "moderate"
"""The span of one event; that of a window is called `process` and the topic."""

ERROR_TYPE: Final = "error.type"
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE: Final = "service.instance.id"

SYSTEM: Final = "messaging.system"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
CONSUMER_GROUP: Final = "messaging.consumer.group.name"
CLIENT_ID: Final = "messaging.client.id"
MESSAGE_COUNT: Final = "messaging.batch.message_count"
PARTITION: Final = "messaging.destination.partition.id"
OFFSET: Final = "messaging.kafka.offset"

REQUEST_MODEL: Final = "gen_ai.request.model"
CONVERSATION: Final = "gen_ai.conversation.id"
EVALUATION: Final = "gen_ai.evaluation.result"
"""An event of `moderate`, one for each signal."""
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
SCORE: Final = "gen_ai.evaluation.score.value"
LABEL: Final = "gen_ai.evaluation.score.label"

DECISION_ID: Final = "moderator.decision.id"
VERDICT: Final = "moderator.verdict"
STATUS: Final = "moderator.status"
SEVERITY: Final = "moderator.severity"
REASONS: Final = "moderator.reasons"
RULES: Final = "moderator.rules"
SNAPSHOT: Final = "moderator.policy.snapshot"
FINGERPRINT: Final = "moderator.model.fingerprint"
CACHED: Final = "moderator.cached"
