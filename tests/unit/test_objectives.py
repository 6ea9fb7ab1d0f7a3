from pathlib import Path

import pytest

from moderator.objectives import model_name

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/models/ArmoRM-Llama3-8B-v0.1", "ArmoRM-Llama3-8B-v0.1"),
        ("models/my model/", "my model"),
        (f"/hub/models--RLHFlow--ArmoRM-Llama3-8B-v0.1/snapshots/{HASH}", "ArmoRM-Llama3-8B-v0.1"),
        (f"hub/models--gpt2/snapshots/{HASH}/", "gpt2"),
        ("/models/snapshots/v2", "v2"),
        (f"/hub/models--o--n/blobs/{HASH}", HASH),
    ],
)
def test_a_model_is_called_as_its_folder_or_its_repository(folder: str, name: str) -> None:
    assert model_name(Path(folder)) == name


def test_a_model_is_called_as_the_link_that_is_given(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--o--n" / "snapshots" / HASH
    snapshot.mkdir(parents=True)
    (tmp_path / "mine").symlink_to(snapshot)

    assert model_name(tmp_path / "mine") == "mine"


def test_a_model_that_is_given_from_within_is_called_as_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "mine" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)

    assert model_name(Path()) == "inner"
    assert model_name(Path("..")) == "mine"
