"""A real Prometheus that scrapes one replica and evaluates our alerts."""

import http
import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from moderator.demo.servers.server import LocalServer
from moderator.supervisor.child import free_ports, last_lines

ALERTS = Path(__file__).parents[2] / "docker" / "prometheus" / "alerts.yml"
START_S = 60.0


class LocalPrometheus(LocalServer):
    """`with LocalPrometheus(port) as prometheus: prometheus.query("up")`; scrapes every second."""

    def __init__(self, scraped_port: int) -> None:
        super().__init__("prometheus")
        self._port = free_ports(1)[0]
        self._config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [
                {
                    "job_name": "moderator",
                    "static_configs": [{"targets": [f"127.0.0.1:{scraped_port}"], "labels": {"group": "moderator"}}],
                }
            ],
        }

    def start(self) -> None:
        """Start, and wait until it answers queries."""
        binary = shutil.which("prometheus")
        assert binary, "install Prometheus (Debian, Ubuntu: apt-get install prometheus)"
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps(self._config))  # JSON is YAML
        command = [
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        assert self._run(command, self._is_ready, START_S), last_lines(self.log)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=1) as answer:
                return bool(answer.status == http.HTTPStatus.OK)
        except OSError:  # an answer of 503 too
            return False

    def query(self, expression: str) -> list[Any]:
        """Give the present samples of an expression; fails where Prometheus does not understand it."""
        result: list[Any] = self._get("query", query=expression)["result"]
        return result

    def rules(self) -> list[Any]:
        """Give the alerts as they stand."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, what: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
