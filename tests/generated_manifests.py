"""The parts of the Kubernetes manifests that are made from other files: the alerts, and the example policies."""

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

ROOT = Path(__file__).parent.parent
KUBERNETES = Path("docker/kubernetes")
ALERTS = Path("docker/prometheus/alerts.yml")
PART_OF = {"app.kubernetes.io/part-of": "moderator"}


def generated_manifests() -> dict[Path, str]:
    return {
        KUBERNETES / "components/monitoring/prometheus-rule.yaml": _yaml(prometheus_rule(), f"{ALERTS}"),
        KUBERNETES / "overlays/example/policies.yaml": _yaml(example_policies(), "policies/"),
    }


def prometheus_rule() -> dict[str, Any]:
    """Give the alerts as the Prometheus operator takes them."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "moderator", "labels": PART_OF},
        "spec": YAML(typ="safe", pure=True).load(ROOT / ALERTS),
    }


def example_policies() -> dict[str, Any]:
    """Give the example policies as the ConfigMap that the replicas mount."""
    files = sorted((ROOT / "policies").glob("*.yaml"))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "moderator-policies", "labels": PART_OF},
        "data": {file.name: LiteralScalarString(file.read_text("utf-8")) for file in files},
    }


def _yaml(content: dict[str, Any], source: str) -> str:
    stream = StringIO()
    yaml = YAML()
    yaml.width = 4_096  # expressions stay on one line
    yaml.dump(content, stream)
    return f"# Generated from {source} by `make generate`.\n{stream.getvalue()}"
