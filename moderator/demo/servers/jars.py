"""Kafka's jars, fetched once with Maven into the user's cache folder, one folder per version.

A folder in the cache is complete or absent: jars are downloaded to a folder next to it, which is then renamed. So two
processes may download at the same time.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from moderator.demo.servers.java import KAFKA_TOOLS_HINT
from moderator.errors import BrokerUnavailableError

_POM = Path(__file__).with_name("pom.xml")
_VERSION = "{*}properties/{*}kafka.version"
_DOWNLOAD_TIMEOUT_S = 600.0


def kafka_jars() -> Path:
    """Give the folder with a broker's jars; fetch them when the cache has none.

    Raises:
        BrokerUnavailableError: Maven is missing or cannot fetch them.
    """
    folder = cache_folder() / f"kafka-{kafka_version()}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _fetch(folder)
    return folder


def class_archive() -> Path:
    """Give the place of the broker's classes as Java shares them between runs; it may not exist."""
    return cache_folder() / f"kafka-{kafka_version()}.jsa"


def keep_class_archive(archive: Path) -> None:
    """Move an archive that a broker has written to where the next ones look for it."""
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="keeping-") as partial:
        shutil.move(archive, moved := Path(partial) / archive.name)
        moved.replace(class_archive())


def kafka_version() -> str:
    """Give the version that the pom names."""
    version = ET.parse(_POM).findtext(_VERSION)  # noqa: S314 - our own file
    assert version is not None
    return version


def cache_folder() -> Path:
    """Give our folder below XDG_CACHE_HOME or ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "moderator"


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as partial:
        jars = Path(partial) / "jars"
        _download(jars)
        try:
            jars.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was faster: its jars are the same
                raise


def _download(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailableError(KAFKA_TOOLS_HINT)
    pom = shutil.copy(_POM, jars.parent / "pom.xml")  # the package's folder may be read-only
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as exc:
        raise BrokerUnavailableError(f"`mvn` did not fetch Kafka's jars within {_DOWNLOAD_TIMEOUT_S:.0f} s") from exc
    if done.returncode != 0 or not jars.is_dir():
        raise BrokerUnavailableError(
            f"`mvn` could not fetch Kafka {kafka_version()}: {_first_error(done.stdout + done.stderr)}; "
            "it needs to reach a Maven repository (set a mirror in ~/.m2/settings.xml)"
        )


def _first_error(output: str) -> str:
    errors = [line.removeprefix("[ERROR]").strip() for line in output.splitlines() if line.startswith("[ERROR]")]
    return next((line for line in errors if line), "no reason given")
