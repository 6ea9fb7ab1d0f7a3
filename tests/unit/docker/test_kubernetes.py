"""What operators may rely on in the Kubernetes manifests, as they stand in the files; `make lint` renders them."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from moderator.policy import load_policies
from moderator.settings import Settings, load_settings
from tests.kubernetes.manifests import KUBERNETES, check, documents, plain_files
from tests.pages import ROOT

PLAIN = sorted(file for file in KUBERNETES.rglob("*.yaml") if file.name != "kustomization.yaml")
PODS = ("StatefulSet", "Deployment", "Job")


def manifest(path: str, kind: str | None = None) -> Any:
    found = documents((KUBERNETES / path).read_text("utf-8"))
    return next(each for each in found if kind in (None, each["kind"]))


STATEFUL_SET = manifest("base/statefulset.yaml")
POD = STATEFUL_SET["spec"]["template"]["spec"]
(REPLICA,) = POD["containers"]


def pods() -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for _, each in plain_files() if each["kind"] in PODS]


def env_of(container: dict[str, Any]) -> dict[str, str]:
    variables = {each["name"]: each.get("value", "a-name") for each in container["env"]}
    del variables["MODERATOR_SECRETS_DIR"]
    return variables


def patch_of(component: str) -> Any:
    (patch,) = manifest(f"components/{component}/kustomization.yaml")["patches"]
    return YAML(typ="safe", pure=True).load(patch["patch"])


@pytest.mark.parametrize("file", PLAIN, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_manifest_fits_the_schema_of_its_kind_strictly(file: Path) -> None:
    found = documents(file.read_text("utf-8"))

    assert found
    for each in found:
        check(each)


@pytest.mark.parametrize(
    ("path", "spoil"),
    [
        ("base/statefulset.yaml", lambda spec: spec.update(replica=3)),
        ("base/statefulset.yaml", lambda spec: spec["template"]["spec"].update(enableServiceLink=False)),
        ("components/monitoring/pod-monitor.yaml", lambda spec: spec.update(jobLabels="x")),
        ("components/monitoring/prometheus-rule.yaml", lambda spec: spec["groups"][0]["rules"][0].update(form="5m")),
        ("components/keda/scaled-object.yaml", lambda spec: spec["triggers"][1]["metadata"].update(lagTreshold="1")),
    ],
)
def test_a_misspelt_key_is_found(path: str, spoil: Any) -> None:
    spoiled = manifest(path)
    spoil(spoiled["spec"])

    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(spoiled)


def test_replicas_start_together_have_names_and_get_time_to_drain() -> None:
    spec = STATEFUL_SET["spec"]

    assert (spec["replicas"], spec["podManagementPolicy"], spec["serviceName"]) == (3, "Parallel", "moderator")
    assert POD["terminationGracePeriodSeconds"] == 45 > Settings().drain_timeout_s
    (instance,) = [each for each in REPLICA["env"] if each["name"] == "MODERATOR_KAFKA__INSTANCE_ID"]
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_probes_are_patient_with_a_start_and_ask_what_they_are_for() -> None:
    asked = {
        name: (REPLICA[name]["httpGet"]["path"], REPLICA[name]["periodSeconds"], REPLICA[name]["failureThreshold"])
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert asked == {
        "startupProbe": ("/healthz", 5, 60),
        "livenessProbe": ("/healthz", 10, 6),
        "readinessProbe": ("/readyz", 5, 2),
    }


def test_no_pod_has_rights_that_it_does_not_need() -> None:
    assert len(pods()) == 3
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10_001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}


def test_no_pod_gets_variables_that_look_like_settings() -> None:
    assert [pod["enableServiceLinks"] for pod in pods()] == [False] * 3


def test_what_is_written_lies_in_volumes_of_its_own() -> None:
    volumes = {each["name"]: each for each in POD["volumes"]}
    paths = {each["mountPath"]: volumes[each["name"]] for each in REPLICA["volumeMounts"]}

    assert {path for path, volume in paths.items() if "emptyDir" in volume} == {
        "/tmp",
        "/var/cache/moderator",
        "/var/lib/moderator",
    }
    assert paths["/models"]["persistentVolumeClaim"] == {"claimName": "moderator-model", "readOnly": True}
    assert paths["/run/secrets/moderator"]["secret"]["secretName"] == "moderator"


def test_policies_are_one_projected_volume_without_a_sub_path_so_that_edits_arrive() -> None:
    (mount,) = [each for each in REPLICA["volumeMounts"] if each["mountPath"] == "/policies"]
    (volume,) = [each for each in POD["volumes"] if each["name"] == mount["name"]]
    policies, *more = (each["configMap"] for each in volume["projected"]["sources"])

    assert "subPath" not in mount
    assert policies == {"name": "moderator-policies"}
    assert [each["optional"] for each in more] == [True, True]
    assert {item["path"].split("/")[0] for each in more for item in each["items"]} == {"lists", "calibration"}


def test_every_variable_is_a_setting(tmp_path: Path) -> None:
    lines = (KUBERNETES / "base" / "settings.env").read_text("utf-8").split()
    (generated,) = manifest("overlays/example/kustomization.yaml")["configMapGenerator"]
    shared = dict(line.split("=", 1) for line in lines)
    example = dict(line.split("=", 1) for line in generated["literals"])

    settings = load_settings(environ={**shared, **example, **env_of(REPLICA)}, folder=tmp_path)

    assert settings.http.host == "0.0.0.0"
    assert settings.http.port == REPLICA["ports"][0]["containerPort"]
    assert settings.policies.path == Path("/policies")
    assert settings.policies.state_dir == Path("/var/lib/moderator")
    assert settings.model.path == "builtin"
    assert load_settings(environ=shared, folder=tmp_path).model.path == "/models"


def test_every_image_has_the_version_of_the_package_and_on_gpus_the_tag_says_so() -> None:
    images = {container["image"] for pod in pods() for container in pod["containers"]}
    (replica,) = patch_of("gpu")["spec"]["template"]["spec"]["containers"]

    assert images == {f"moderator:{version('moderator')}"}
    assert replica["image"] == f"moderator:{version('moderator')}-cuda"
    assert replica["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_only_one_replica_at_a_time_is_taken_away_on_purpose() -> None:
    assert manifest("base/disruption-budget.yaml")["spec"]["maxUnavailable"] == 1


def test_only_probes_scrapes_and_callers_come_in_and_only_kafka_and_redis_are_asked() -> None:
    spec = manifest("base/network-policy.yaml")["spec"]
    (incoming,) = spec["ingress"]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert incoming["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert incoming["from"] == [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {"moderator/monitoring": "true"}}},
    ]
    assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53, 6379, 9092, 9093}


def test_the_pods_that_are_scraped_are_the_job_that_the_alerts_name() -> None:
    spec = manifest("components/monitoring/pod-monitor.yaml")["spec"]
    labels = STATEFUL_SET["spec"]["template"]["metadata"]["labels"]
    (endpoint,) = spec["podMetricsEndpoints"]

    assert labels[spec["jobLabel"]] == "moderator"
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert endpoint["port"] == REPLICA["ports"][0]["name"]
    assert [each["targetLabel"] for each in endpoint["relabelings"]] == ["group", "instance"]
    assert labels["moderator/group"] == Settings().kafka.group_id


def test_scaling_goes_by_our_metric_and_by_kafka_itself() -> None:
    spec = manifest("components/keda/scaled-object.yaml")["spec"]
    by_metric, by_kafka = (trigger["metadata"] for trigger in spec["triggers"])

    assert spec["minReplicaCount"] == 1
    assert spec["scaleTargetRef"]["name"] == STATEFUL_SET["metadata"]["name"]
    assert by_metric["query"] == "sum(max by (partition) (moderator_lag_events))"
    assert (by_metric["threshold"], by_kafka["lagThreshold"], by_kafka["activationLagThreshold"]) == (
        "2000",
        "2000",
        "0",
    )
    assert by_kafka["offsetResetPolicy"] == "earliest"
    assert by_kafka["consumerGroup"] == Settings().kafka.group_id
    assert by_kafka["topic"] == Settings().kafka.events_topic
    assert patch_of("keda") == [{"op": "remove", "path": "/spec/replicas"}]


def test_the_console_is_one_pod_that_asks_the_replicas_and_that_nobody_outside_reaches(tmp_path: Path) -> None:
    deployment = manifest("components/console/deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    policy = manifest("components/console/network-policy.yaml")["spec"]

    assert deployment["spec"]["replicas"] == 1
    assert container["args"] == ["console", "--host", "0.0.0.0"]
    settings = load_settings(environ=env_of(container), folder=tmp_path)
    assert container["ports"][0]["containerPort"] == settings.console.port
    assert settings.console.scorer_url == "http://moderator:8080"
    assert policy["ingress"] == [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8090}]}]


def test_a_replica_of_the_example_sees_the_example_policies_with_their_lists(tmp_path: Path) -> None:
    maps = {
        each["metadata"]["name"]: each["data"]
        for each in documents((KUBERNETES / "overlays/example/policies.yaml").read_text("utf-8"))
    }
    (volume,) = [each for each in POD["volumes"] if each["name"] == "policies"]
    for source in (each["configMap"] for each in volume["projected"]["sources"]):
        data = maps.get(source["name"], {})
        for item in source.get("items", [{"key": key, "path": key} for key in data]):
            if item["key"] in data:
                (tmp_path / item["path"]).parent.mkdir(exist_ok=True)
                (tmp_path / item["path"]).write_text(data[item["key"]])

    assert load_policies(tmp_path).snapshot == load_policies(ROOT / "policies").snapshot


def test_every_file_is_part_of_something() -> None:
    folders = {file.parent for file in KUBERNETES.rglob("kustomization.yaml")}

    for folder in folders:
        files = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
        resources = YAML(typ="safe", pure=True).load(folder / "kustomization.yaml").get("resources", [])
        assert files == {each for each in resources if not each.startswith("..")}


def test_the_job_that_creates_topics_reads_the_secret_as_the_replicas_do() -> None:
    pod = manifest("overlays/example/topics.yaml")["spec"]["template"]["spec"]
    (job,) = pod["containers"]

    def secrets_of(pod: dict[str, Any], container: dict[str, Any]) -> list[Any]:
        found = [container["env"], container["volumeMounts"], pod["volumes"]]
        names = ("MODERATOR_SECRETS_DIR", "secrets", "secrets")
        return [next(one for one in each if one["name"] == name) for name, each in zip(names, found, strict=True)]

    assert secrets_of(pod, job) == secrets_of(POD, REPLICA)
    assert pod["securityContext"]["fsGroup"] == POD["securityContext"]["fsGroup"]
