"""The image and the compose file keep in step with the code. The image itself is built where there is Docker."""

import json
import re
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
OURS = [name for name, service in SERVICES.items() if "build" in service]


def _instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def _in_image(name: str) -> dict[str, str]:
    """The variables that the last stage sets."""
    return {each[1]: each[2] for each in re.finditer(rf"\b({name}\w+)=(\S+)", _instructions("ENV")[-1])}


def _environ(service: str) -> dict[str, str]:
    environ: dict[str, str] = SERVICES[service]["environment"]
    return _in_image("MODERATOR_") | environ


def _command(words: list[str]) -> bool:
    """Tell whether `moderator` knows the command."""
    command: Any = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word)
    return command is not None


def test_there_are_two_services_of_ours() -> None:
    assert OURS == ["topics", "moderator"]


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
    *_, last_stage = DOCKERFILE.split("\nFROM ")
    settings = load_settings(environ=_in_image("MODERATOR_"), folder=tmp_path)

    assert settings.policies.path == Path("/policies")
    assert not re.search(r"^COPY (?!--from)", last_stage, re.MULTILINE)


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


def test_the_image_has_the_compiler_that_the_layers_on_a_gpu_need() -> None:
    *_, last_stage = DOCKERFILE.split("\nFROM ")

    assert " gcc libc6-dev " in last_stage


def test_the_healthcheck_is_a_program_that_compiles() -> None:
    _, _, program = json.loads(re.findall(r"CMD (\[\"python\".+\])$", DOCKERFILE, re.MULTILINE)[0])

    compile(program, "healthcheck", "exec")


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


def test_the_image_does_not_run_as_root() -> None:
    assert _instructions("USER") == ["10001:10001"]
    assert DOCKERFILE.index("USER") < DOCKERFILE.index("ENTRYPOINT")
