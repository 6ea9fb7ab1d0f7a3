"""What a machine needs before Kafka and Redis can start here, and installing it where we may."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

from moderator.errors import BrokerUnavailableError, CacheUnavailableError

JAVA_LEAST = 17
KAFKA_TOOLS_HINT = (
    f"Kafka needs Java {JAVA_LEAST} or newer and Maven: install them "
    "(Debian, Ubuntu: `apt-get install openjdk-17-jre-headless maven`) and run this again"
)
REDIS_HINT = "`redis-server` is missing: install it (Debian, Ubuntu: `apt-get install redis-server`) for a real cache"
_JAVA_PACKAGES = ("openjdk-21-jre-headless", "openjdk-17-jre-headless")
_INSTALL_TIMEOUT_S = 900.0

Say = Callable[[str], None]


def ensure_kafka_tools(say: Say) -> None:
    """See that Java and Maven are here; install what is missing with apt where we are root on a Debian family.

    Raises:
        BrokerUnavailableError: something is missing and cannot be installed; the text says what to install.
    """
    needs_java, needs_maven = java_version() < JAVA_LEAST, shutil.which("mvn") is None
    if not (needs_java or needs_maven):
        return
    if _may_install():
        say("installing Java and Maven with apt-get")
        _update()
        java = _first_known(_JAVA_PACKAGES) if needs_java else []
        _apt_get("install", "--no-install-recommends", *java, *(["maven"] if needs_maven else []))
    if java_version() < JAVA_LEAST or shutil.which("mvn") is None:
        raise BrokerUnavailableError(KAFKA_TOOLS_HINT)


def ensure_redis(say: Say) -> None:
    """See that redis-server is here, as above.

    Raises:
        CacheUnavailableError: it is missing and cannot be installed; the text says what to install.
    """
    if shutil.which("redis-server") is None and _may_install():
        say("installing redis-server with apt-get")
        _update()
        _apt_get("install", "--no-install-recommends", "redis-server")
    if shutil.which("redis-server") is None:
        raise CacheUnavailableError(REDIS_HINT)


def java_version() -> int:
    """Give the major version of the `java` on the path; 0 without one."""
    java = shutil.which("java")
    if java is None:
        return 0
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', shown.stderr + shown.stdout)
    return int(found[1]) if found else 0


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _update() -> None:
    _apt_get("update")


def _first_known(names: Sequence[str]) -> list[str]:
    for name in names:
        shown = subprocess.run(["apt-cache", "show", name], capture_output=True, check=False)
        if shown.returncode == 0 and shown.stdout:
            return [name]
    return []


def _apt_get(*arguments: str) -> None:
    # A failure shows in what is still missing afterwards; the hint then says what to do by hand.
    command = ["apt-get", "-q", "-y", *arguments]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, capture_output=True, env=environment, timeout=_INSTALL_TIMEOUT_S, check=False)
