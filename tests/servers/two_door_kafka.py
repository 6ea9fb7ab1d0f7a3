"""A broker with a second listener, for clients that come through a proxy or with a password."""

from collections.abc import Mapping

from moderator.demo.servers.kafka import LocalKafka
from moderator.supervisor.child import free_ports


class TwoDoorKafka(LocalKafka):
    """Also listens with `protocol` at `second_bootstrap_servers`.

    Args:
        protocol: a security protocol.
        advertised: where clients that came that way are sent: a proxy's address.
        settings: more lines for server.properties.
    """

    def __init__(
        self, protocol: str, *, advertised: str | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        [port] = free_ports(1)
        self.second_bootstrap_servers = f"127.0.0.1:{port}"
        self._protocol = protocol
        self._advertised = advertised or self.second_bootstrap_servers
        self._more = dict(settings or {})

    def _settings(self) -> dict[str, str]:
        ours = super()._settings()
        second = {
            "listeners": f"SECOND://{self.second_bootstrap_servers}",
            "advertised.listeners": f"SECOND://{self._advertised}",
            "listener.security.protocol.map": f"SECOND:{self._protocol}",
        }
        return ours | {name: f"{ours[name]},{added}" for name, added in second.items()} | self._more
