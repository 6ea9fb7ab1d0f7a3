"""The image and the compose file keep in step with the code. The image itself is built where there is Docker."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer.main
from ruamel.yaml import YAML

from moderator.cli.app import app
from moderator.observability.build import REVISION_FILE
from moderator.settings import Settings, load_settings

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "docker" / "compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TARGETS = ("cpu", "cuda")
OURS = [name for name, service in SERVICES.items() if "build" in service]


def _instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def _stages() -> dict[str, str]:
    """The text of each stage by its name."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _in_image(name: str = "") -> dict[str, str]:
    """The variables that the image sets."""
    runtime = re.sub(r"\\\n", " ", _stages()["runtime"])
    (variables,) = re.findall(r"^ENV (.+)$", runtime, re.MULTILINE)
    return {each[1]: each[2] for each in re.finditer(rf"\b({name}\w+)=(\S+)", variables)}


def _environ(service: str) -> dict[str, str]:
    environ: dict[str, str] = SERVICES[service]["environment"]
    return _in_image("MODERATOR_") | {name: _default(value) for name, value in environ.items()}


def _default(value: str) -> str:
    """What a variable has where the operator's shell does not set it."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def _command(words: list[str]) -> bool:
    """Check whether `moderator` knows the command and its options."""
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    return not hasattr(command, "commands") and {word for word in words if word.startswith("-")} <= known


def test_there_are_three_services_of_ours_of_one_image() -> None:
    assert OURS == ["topics", "moderator", "console"]
    assert {SERVICES[service]["image"] for service in OURS} == {f"moderator:{version('moderator')}"}
    assert {SERVICES[service]["build"]["target"] for service in OURS} == {"cpu"}


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_a_service_is_a_setting(service: str, tmp_path: Path) -> None:
    settings = load_settings(environ=_environ(service), folder=tmp_path)

    assert settings.kafka.bootstrap_servers == "kafka:9092"


@pytest.mark.parametrize("service", OURS)
def test_a_service_runs_a_command_that_exists(service: str) -> None:
    default = json.loads(_instructions("CMD")[-1])

    assert _command(SERVICES[service].get("command", default))


def test_the_service_names_model_policies_and_redis(tmp_path: Path) -> None:
    settings = load_settings(environ=_environ("moderator"), folder=tmp_path)

    assert settings.model.path == "builtin"
    assert settings.redis.url is not None
    assert f"../policies:{settings.policies.path}:ro" in SERVICES["moderator"]["volumes"]


def test_the_image_holds_no_policies_so_that_a_forgotten_mount_stops_the_start(tmp_path: Path) -> None:
    settings = load_settings(environ=_in_image("MODERATOR_"), folder=tmp_path)

    assert settings.policies.path == Path("/policies")
    for stage in ("runtime", *TARGETS):
        assert re.findall(r"^COPY .*", _stages()[stage], re.MULTILINE) in (
            [],
            [f"COPY --from=app-{stage} /app/.venv /app/.venv"],
        )


def test_the_probed_port_is_the_one_published_and_listened_on_from_outside(tmp_path: Path) -> None:
    http = load_settings(environ=_environ("moderator"), folder=tmp_path).http

    assert http.host == "0.0.0.0"
    assert _instructions("EXPOSE") == [str(http.port)]
    assert SERVICES["moderator"]["ports"] == [f"127.0.0.1:{http.port}:{http.port}"]
    assert f"'{http.port}') + '/healthz'" in DOCKERFILE


def test_the_build_of_the_image_writes_the_revision_where_version_reads_it() -> None:
    (written,) = re.findall(r'^RUN echo "\$REVISION" > (\S+)$', DOCKERFILE, re.MULTILINE)

    assert ROOT / written == REVISION_FILE
    assert "REVISION=unknown" in _instructions("ARG")


def test_only_the_image_for_gpus_has_the_compiler_that_its_layers_need() -> None:
    stages = _stages()

    assert " gcc libc6-dev " in stages["cuda"]
    assert "gcc" not in stages["runtime"] + stages["cpu"]


def test_the_image_for_cpus_takes_the_locked_dependencies_but_for_those_of_torch() -> None:
    stages = _stages()

    assert "without-torch.txt" in stages["dependencies-cpu"]
    assert "all.txt" not in stages["dependencies-cpu"]
    assert "--torch-backend=cpu --requirement torch.txt" in stages["dependencies-cpu"]


def test_an_init_starts_the_program() -> None:
    assert json.loads(_instructions("ENTRYPOINT")[-1]) == ["tini", "--", "moderator"]
    assert json.loads(_instructions("CMD")[-1]) == ["run"]
    assert " tini " in _stages()["runtime"]


def test_all_that_libraries_keep_lies_in_the_one_folder_that_the_user_may_write() -> None:
    caches = ("HF_HOME", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
    variables = _in_image()

    assert [name for name in caches if not variables[name].startswith("/var/cache/moderator/")] == []
    assert "--owner moderator --group moderator /var/cache/moderator" in _stages()["runtime"]
    for service in ("moderator", "console"):
        assert SERVICES[service]["read_only"] is True
        assert {each.partition(":")[0] for each in SERVICES[service]["tmpfs"]} == {"/tmp", "/var/cache/moderator"}


def test_the_image_says_what_it_is() -> None:
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", _stages()["runtime"]))

    assert labels == {"title", "description", "source", "version", "revision", "created", "licenses"}


def test_every_port_is_on_loopback_alone_and_every_image_has_a_version() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]

    assert len(ports) == 5
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert [each["image"] for each in SERVICES.values() if not re.search(r":v?\d+\.\d+\.\d+", each["image"])] == []


def test_prometheus_scrapes_the_job_and_grafana_shows_the_dashboard() -> None:
    yaml = YAML(typ="safe", pure=True)
    prometheus = yaml.load(ROOT / "docker" / "prometheus" / "prometheus.yml")
    (job,) = prometheus["scrape_configs"]
    (folder,) = yaml.load(ROOT / "docker/grafana/provisioning/dashboards/moderator.yml")["providers"]
    mounted = SERVICES["grafana"]["volumes"]

    assert job["job_name"] == "moderator"
    assert job["static_configs"] == [{"targets": ["moderator:8080"], "labels": {"group": "moderator"}}]
    assert prometheus["rule_files"] == ["alerts.yml"]
    assert f"./grafana/moderator.json:{folder['options']['path']}/moderator.json:ro" in mounted


def test_the_healthcheck_is_a_program_that_compiles() -> None:
    _, _, program = json.loads(re.findall(r"CMD (\[\"python\".+\])$", DOCKERFILE, re.MULTILINE)[0])

    compile(program, "healthcheck", "exec")


@pytest.mark.parametrize(("value", "port"), [("", 8080), ("8090", 8090)])
def test_the_healthcheck_takes_an_empty_port_for_unset_as_the_settings_do(
    value: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, program = json.loads(re.findall(r"CMD (\[\"python\".+\])$", DOCKERFILE, re.MULTILINE)[0])
    asked: list[str] = []
    monkeypatch.setenv("MODERATOR_HTTP__PORT", value)
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: asked.append(url))

    exec(program, {})

    assert asked == [f"http://127.0.0.1:{port}/healthz"]


def test_the_console_asks_the_replica_with_its_token(tmp_path: Path) -> None:
    console, replica = (load_settings(environ=_environ(each), folder=tmp_path) for each in ("console", "moderator"))

    assert console.console.scorer_url == f"http://moderator:{replica.http.port}"
    assert console.console.scorer_token == replica.http.token
    assert SERVICES["console"]["ports"] == [f"127.0.0.1:{console.console.port}:{console.console.port}"]


def test_compose_waits_for_the_drain() -> None:
    grace_s = float(SERVICES["moderator"]["stop_grace_period"].removesuffix("s"))

    assert grace_s > Settings().drain_timeout_s


def test_the_broker_is_the_version_that_the_tests_run_on() -> None:
    pom = ET.parse(ROOT / "moderator" / "demo" / "servers" / "pom.xml")

    version = pom.findtext("{*}properties/{*}kafka.version")

    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = [source for line in _instructions("COPY") if not line.startswith("--from") for source in line.split()[:-1]]

    assert set(copied) >= {"pyproject.toml", "uv.lock", "moderator", "policies"}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {f"!{source}" for source in copied} == {line for line in ignored if line.startswith("!")}


def test_no_target_runs_as_root() -> None:
    for target in TARGETS:
        assert re.findall(r"^USER (.+)$", _stages()[target], re.MULTILINE) == ["10001:10001"]
