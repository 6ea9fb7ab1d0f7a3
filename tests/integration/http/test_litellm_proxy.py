"""LiteLLM's proxy with the guardrail as docs/http.md configures it, before a model that counts what reaches it.

The proxy cannot share our environment (it needs rich below 14): it has one of its own in the cache folder.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from moderator.demo.servers.jars import cache_folder
from moderator.supervisor.child import free_ports
from tests.pages import ROOT, blocks
from tests.servers.http_stage import FLAGGED, TOKEN, Stage, a_stage, served
from tests.waiting import await_condition

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

LITELLM = "litellm[proxy]==1.108.7"
"""The newest whose proxy can be installed: 1.110 needs a package `litellm-proxy` that was not published with it."""
KEY = "sk-a-key-of-the-tests-that-is-long-enough"
HARMLESS, HARMFUL = "Hello", f"This is {FLAGGED}"
TEMPTING = "Say it"
"""A harmless prompt to which the model gives a harmful reply."""


class Model(ThreadingHTTPServer):
    """OpenAI's chat completions; a stand-in for any model behind the proxy."""

    asked: int = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert isinstance(self.server, Model)
            self.server.asked += 1
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = HARMFUL if request["messages"][-1]["content"] == TEMPTING else "Good day"
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            kind = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "any"}
            body = json.dumps(kind | {"choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...


class Proxied(NamedTuple):
    """The proxy, what is behind it, and the guardrail beside it."""

    client: httpx.Client
    model: Model
    stage: Stage

    def ask(self, prompt: str) -> tuple[int, Any]:
        body = {"model": "chat", "messages": [{"role": "user", "content": prompt}]}
        answer = self.client.post("/v1/chat/completions", json=body)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module", params=["fail_closed", "fail_open"])
def proxied(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxy")
    with a_stage(folder / "policies") as stage, served(stage) as port, a_model() as model:
        config = folder / "config.yaml"
        config.write_text(f"{guardrails(port, request.param)}{models(model.server_port)}")
        with a_proxy(config) as url, httpx.Client(base_url=url, timeout=120) as client:
            client.headers["Authorization"] = f"Bearer {KEY}"
            yield Proxied(client, model, stage)


def guardrails(port: int, fallback: str) -> str:
    (block,) = (block for block in blocks(ROOT / "docs" / "http.md") if block.kind == "litellm")
    text = block.text.replace("http://moderator:8080", f"http://127.0.0.1:{port}")
    return text.replace("unreachable_fallback: fail_closed", f"unreachable_fallback: {fallback}")


def models(port: int) -> str:
    parameters = {"model": "openai/any", "api_key": "none", "api_base": f"http://127.0.0.1:{port}"}
    return f"model_list: {json.dumps([{'model_name': 'chat', 'litellm_params': parameters}])}\n"


@contextmanager
def a_model() -> Iterator[Model]:
    with Model(("127.0.0.1", 0), Model.Handler) as model:
        threading.Thread(target=model.serve_forever, daemon=True).start()
        yield model
        model.shutdown()


@contextmanager
def a_proxy(config: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    variables = {
        "GUARDRAIL_TOKEN": TOKEN,
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    log = config.with_suffix(".log")
    command = [
        str(environment() / "bin" / "litellm"),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | variables, cwd=config.parent) as process,
    ):
        try:
            await_condition(lambda: process.poll() is not None or is_alive(url), 600)
            assert process.poll() is None, log.read_text()[-4_000:]
            yield url
        finally:
            process.terminate()


def is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/liveliness", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def environment() -> Path:
    """Give the proxy's own environment; made once for each version."""
    folder = cache_folder() / LITELLM.replace("[proxy]==", "-proxy-")
    made = folder / "made"
    if not made.exists():
        uv = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", LITELLM], check=True)
        made.touch()
    return folder


def test_what_is_harmless_passes(proxied: Proxied) -> None:
    status, answer = proxied.ask(HARMLESS)

    assert status == 200
    assert answer["choices"][0]["message"]["content"] == "Good day"


def test_a_harmful_prompt_is_blocked_before_the_model_is_asked(proxied: Proxied) -> None:
    asked = proxied.model.asked

    status, answer = proxied.ask(HARMFUL)

    assert status == 400
    assert answer["error"]["message"].startswith("unsafe_content (decision mod_")
    assert proxied.model.asked == asked


def test_a_harmful_reply_is_blocked_after_the_model_has_given_it(proxied: Proxied) -> None:
    asked = proxied.model.asked

    status, answer = proxied.ask(TEMPTING)

    assert status == 400
    assert answer["error"]["message"].startswith("unsafe_content (decision mod_")
    assert proxied.model.asked == asked + 1


def test_while_we_cannot_answer_the_fallback_decides(proxied: Proxied, request: pytest.FixtureRequest) -> None:
    is_open = request.node.callspec.params["proxied"] == "fail_open"
    asked = proxied.model.asked

    proxied.stage.stop.set()  # 503 from now on
    status, answer = proxied.ask(HARMFUL)
    proxied.stage.stop.clear()

    assert status == (200 if is_open else 500), answer
    assert proxied.model.asked == asked + is_open
