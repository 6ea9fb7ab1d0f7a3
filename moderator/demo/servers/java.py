"""The tools that a local Kafka needs: Java and Maven, which the user installs."""

import re
import shutil
import subprocess

from moderator.errors import BrokerUnavailableError

JAVA_LEAST = 17
KAFKA_TOOLS_HINT = (
    f"Kafka needs Java {JAVA_LEAST} or newer and Maven: install them "
    "(Debian, Ubuntu: `apt-get install openjdk-17-jre-headless maven`) and run this again"
)


def require_kafka_tools() -> None:
    """Check that Java and Maven are installed.

    Raises:
        BrokerUnavailableError: one of them is missing or Java is too old; the text says what to install.
    """
    if java_version() < JAVA_LEAST or shutil.which("mvn") is None:
        raise BrokerUnavailableError(KAFKA_TOOLS_HINT)


def java_version() -> int:
    """Give the major version of the `java` on the path; 0 without one."""
    java = shutil.which("java")
    if java is None:
        return 0
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', shown.stderr + shown.stdout)
    return int(found[1]) if found else 0
