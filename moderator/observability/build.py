"""What runs here: versions of this program, of Python and of the libraries that matter most."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

import moderator

REVISION_FILE: Final = Path(moderator.__file__).with_name("REVISION")
"""Written when an image or a release is built; a checkout has none."""


def revision(file: Path = REVISION_FILE) -> str:
    """Give the commit that this was built from; `unknown` without the file."""
    return file.read_text("utf-8").strip() if file.exists() else "unknown"


def versions() -> dict[str, str]:
    """Give `version`, `revision`, `python`, `torch` and `kafka_client`; loads none of them."""
    return {
        "version": version("moderator"),
        "revision": revision(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "kafka_client": version("kafka-python"),
    }
