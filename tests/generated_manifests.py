"""The parts of the Kubernetes manifests that are made from other files: the alerts, and the example policies."""

from collections.abc import Iterable
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
        KUBERNETES / "components/monitoring/prometheus-rule.yaml": _yaml([prometheus_rule()], f"{ALERTS}"),
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


def example_policies() -> list[dict[str, Any]]:
    """Give the example policies and their lists as the ConfigMaps that the replicas mount."""
    policies = ROOT / "policies"
    return [
        _config_map("moderator-policies", sorted(policies.glob("*.yaml"))),
        _config_map("moderator-policy-lists", sorted(policies.glob("lists/*.txt"))),
    ]


def _config_map(name: str, files: Iterable[Path]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": PART_OF},
        "data": {file.name: LiteralScalarString(file.read_text("utf-8")) for file in files},
    }


def _yaml(documents: list[dict[str, Any]], source: str) -> str:
    stream = StringIO()
    yaml = YAML()
    yaml.width = 4_096  # expressions stay on one line
    for number, document in enumerate(documents):
        stream.write("---\n" if number else "")
        yaml.dump(document, stream)
    return f"# Generated from {source} by `make generate`.\n{stream.getvalue()}"
