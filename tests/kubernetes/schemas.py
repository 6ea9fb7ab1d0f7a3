"""What we use of three kinds that are not Kubernetes' own, as JSON Schemas: a misspelt key must not pass."""

from typing import Any, Final

TEXT: Final = {"type": "string", "minLength": 1}
TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}


def _only(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = required | optional
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


def _kind(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _only({"name": TEXT}, namespace=TEXT, labels=TEXTS, annotations=TEXTS)
    return _only({"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec})


_DURATION: Final = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h|d))+$"}
_RELABELING: Final = _only(
    {"sourceLabels": _list(TEXT), "targetLabel": TEXT}, regex=TEXT, replacement=TEXT, action=TEXT
)
_ENDPOINT: Final = _only({"port": TEXT}, path=TEXT, interval=_DURATION, relabelings=_list(_RELABELING))
_ALERT: Final = _only({"alert": TEXT, "expr": TEXT, "labels": TEXTS, "annotations": TEXTS}, **{"for": _DURATION})
_PROMETHEUS: Final = _only(
    {
        "type": {"const": "prometheus"},
        "metadata": _only({"serverAddress": TEXT, "query": TEXT, "threshold": {"pattern": "^[0-9.]+$"}}),
    }
)
_KAFKA: Final = _only(
    {
        "type": {"const": "kafka"},
        "metadata": _only(
            {"bootstrapServers": TEXT, "consumerGroup": TEXT, "topic": TEXT, "lagThreshold": {"pattern": "^[0-9]+$"}},
            activationLagThreshold={"pattern": "^[0-9]+$"},
            offsetResetPolicy={"enum": ["earliest", "latest"]},
        ),
    }
)

OTHER_KINDS: Final = {
    "PodMonitor": _kind(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        _only({"selector": _only({"matchLabels": TEXTS}), "podMetricsEndpoints": _list(_ENDPOINT)}, jobLabel=TEXT),
    ),
    "PrometheusRule": _kind(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        _only({"groups": _list(_only({"name": TEXT, "rules": _list(_ALERT)}))}),
    ),
    "ScaledObject": _kind(
        "keda.sh/v1alpha1",
        "ScaledObject",
        _only(
            {
                "scaleTargetRef": _only({"name": TEXT}, apiVersion=TEXT, kind=TEXT),
                "triggers": _list({"oneOf": [_PROMETHEUS, _KAFKA]}),
            },
            minReplicaCount={"type": "integer", "minimum": 0},
            maxReplicaCount={"type": "integer", "minimum": 1},
        ),
    ),
}
