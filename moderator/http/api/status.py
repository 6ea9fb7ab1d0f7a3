"""`GET /v1/status`: the model, the policies that decide, and what the policy folder holds."""

import time
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from moderator.events import ModelIdentity, iso_time
from moderator.http.api.body import JSON
from moderator.http.api.decisions import SNAPSHOT_HEADER
from moderator.http.api.intake import Intake
from moderator.observability.health import HealthBoard, readiness_problems
from moderator.policy.live.status import PolicyStatus


@dataclass(frozen=True, slots=True)
class Replica:
    """Who answers: the version of moderator, and the name of this process."""

    version: str
    instance: str


def tell_status(intake: Intake, board: HealthBoard, replica: Replica) -> Response:
    """Answer with the status."""
    now_s = time.monotonic()
    status = intake.policy_status
    agreed_s = board.policies.agreed_at_s if board.policies else now_s
    content = {
        "ready": not readiness_problems(board, now_s),
        "version": replica.version,
        "instance": replica.instance,
        "model": _model(intake.decider.model),
        "policies": _policies(status, 0.0 if status.folder == "in force" else round(now_s - agreed_s, 1)),
    }
    return Response(orjson.dumps(content), headers={SNAPSHOT_HEADER: status.snapshot}, media_type=JSON)


def _model(model: ModelIdentity) -> dict[str, Any]:
    return {
        "name": model.name,
        "fingerprint": model.fingerprint,
        "dtype": model.dtype,
        "framing": model.framing,
        "objectives": model.objectives,
    }


def _policies(status: PolicyStatus, stale_s: float) -> dict[str, Any]:
    return {
        "snapshot": status.snapshot,
        "source": status.source,
        "since": iso_time(status.since_s),
        "folder": status.folder,
        "stale_s": stale_s,
        "ignored": status.ignored,
        "problems": [problem.record for problem in status.problems],
    }
