"""What a machine needs before Kafka and Redis can start here, and installing it where we may."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
    if _lacks_kafka_tools() and _may_install():
        with _one_installation():
            needs_java, needs_maven = java_version() < JAVA_LEAST, shutil.which("mvn") is None
            if needs_java or needs_maven:
                say("installing Java and Maven with apt-get")
                _apt_get("update")
                java = _first_known(_JAVA_PACKAGES) if needs_java else []
                _apt_get("install", "--no-install-recommends", *java, *(["maven"] if needs_maven else []))
    if _lacks_kafka_tools():
        raise BrokerUnavailableError(KAFKA_TOOLS_HINT)


def ensure_redis(say: Say) -> None:
    """See that redis-server is here, as above.

    Raises:
        CacheUnavailableError: it is missing and cannot be installed; the text says what to install.
    """
    if installed("redis-server", ["redis-server"], say) is None:
        raise CacheUnavailableError(REDIS_HINT)


def installed(program: str, packages: Sequence[str], say: Say) -> str | None:
    """Install a program that is missing where we may; give its path, None where it still is."""
    if shutil.which(program) is None and _may_install():
        with _one_installation():
            if shutil.which(program) is None:
                say(f"installing {program} with apt-get")
                _apt_get("update")
                _apt_get("install", "--no-install-recommends", *packages)
    return shutil.which(program)


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


def _lacks_kafka_tools() -> bool:
    return java_version() < JAVA_LEAST or shutil.which("mvn") is None


@contextmanager
def _one_installation() -> Iterator[None]:
    """Wait for other processes of ours: apt-get gives up at once where another one runs."""
    path = Path(tempfile.gettempdir()) / "moderator-installation.lock"
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _first_known(names: Sequence[str]) -> list[str]:
    for name in names:
        shown = subprocess.run(["apt-cache", "show", name], capture_output=True, check=False)
        if shown.returncode == 0 and shown.stdout:
            return [name]
    return []


def _apt_get(*arguments: str) -> None:
    # A failure shows in what is still missing afterwards; the hint then says what to do by hand.
    command = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", *arguments]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, capture_output=True, env=environment, timeout=_INSTALL_TIMEOUT_S, check=False)
