import shutil
from pathlib import Path

import pytest


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A checkpoint to damage."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))
