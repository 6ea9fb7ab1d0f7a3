"""Where a checkpoint is found: a folder, the package, the model hub or what was downloaded from it."""

import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from moderator.errors import ConfigurationError
from moderator.scoring import builtin
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.checkpoint.location import locate
from moderator.scoring.opening import open_model
from tests.integration.scoring.checkpoint.damage import WEIGHTS


def test_a_path_that_no_file_system_accepts_is_a_plain_error() -> None:
    with pytest.raises(ConfigurationError, match=r"model `a+`: cannot be read: File name too long"):
        locate("a" * 300)


@pytest.mark.parametrize("path", ["no-such-folder", "./no/such", "/no/such/folder", "a/b/c", "~/model", ""])
def test_a_folder_that_does_not_exist_is_named(path: str) -> None:
    with pytest.raises(ConfigurationError, match="no such folder, and not a hub id"):
        ArmoRM.from_pretrained(path)


def test_a_file_is_no_checkpoint(copied: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        ArmoRM.from_pretrained(copied / WEIGHTS)


def test_the_builtin_checkpoint_is_in_the_package() -> None:
    location = locate("builtin")

    assert location.is_builtin
    assert location.folder == Path(builtin.__file__).parent


def test_an_unreachable_hub_is_a_plain_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(
        ConfigurationError, match="model `owner/name`: no such folder, and the model hub does not provide it"
    ):
        ArmoRM.from_pretrained("owner/name")


@pytest.fixture
def downloaded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--owner--Tiny-ArmoRM"
    shutil.copytree(folder, cached / "snapshots" / ("0" * 40))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0" * 40)
    return cached


@pytest.mark.usefixtures("downloaded")
def test_a_model_downloaded_earlier_loads_without_the_hub(armorm: ArmoRM) -> None:
    loaded = ArmoRM.from_pretrained("owner/Tiny-ArmoRM", device="cpu")

    assert loaded.name == "Tiny-ArmoRM"
    assert loaded.fingerprint == armorm.fingerprint


def test_the_weights_are_of_the_revision_that_was_opened(downloaded: Path, armorm: ArmoRM) -> None:
    opened = open_model("owner/Tiny-ArmoRM")
    (downloaded / "refs" / "main").write_text("1" * 40)

    loaded = opened.load("auto", torch.device("cpu"))

    assert loaded.fingerprint == armorm.fingerprint
