"""The Kubernetes manifests: as files, as rendered, and held strictly against the schemas of their kinds.

`python -m tests.kubernetes.manifests` checks them all: rendered where `kubectl` or `kustomize` is installed, else the
plain files.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
from ruamel.yaml import YAML

from tests.kubernetes.schemas import OTHER_KINDS

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "docker" / "kubernetes"
RENDERED = (
    KUBERNETES / "base",
    KUBERNETES / "overlays" / "example",
    ROOT / "tests" / "kubernetes" / "everything",
)
KUSTOMIZE = {"Kustomization", "Component"}

Manifest = dict[str, Any]


def documents(text: str) -> list[Manifest]:
    return [document for document in YAML(typ="safe", pure=True).load_all(text) if document]


def plain_files() -> Iterator[tuple[str, Manifest]]:
    """Give what stands in the files, but for what tells kustomize what to do."""
    for file in sorted(KUBERNETES.rglob("*.yaml")):
        for manifest in documents(file.read_text("utf-8")):
            if manifest["kind"] not in KUSTOMIZE:
                yield str(file.relative_to(ROOT)), manifest


def renderer() -> list[str] | None:
    """Give the command that renders a folder; None where there is none."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return ["kubectl", "kustomize"] if shutil.which("kubectl") else None


def rendered(folder: Path, command: list[str]) -> list[Manifest]:
    ran = subprocess.run([*command, folder], capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{folder.relative_to(ROOT)} cannot be rendered: {ran.stderr}")
    return documents(ran.stdout)


def check(manifest: Manifest) -> None:
    """Hold a manifest against its kind's schema; an unknown key is wrong too.

    Raises:
        jsonschema.ValidationError, kubernetes_validate.ValidationError: it does not fit.
    """
    kind = manifest["kind"]
    if kind in OTHER_KINDS:
        jsonschema.Draft202012Validator(OTHER_KINDS[kind]).validate(manifest)
    else:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def main() -> None:
    command = renderer()
    if command is None:
        print("neither kustomize nor kubectl is installed: the plain files are checked", file=sys.stderr)
        found = list(plain_files())
    else:
        found = [(str(folder), manifest) for folder in RENDERED for manifest in rendered(folder, command)]
    for where, manifest in found:
        try:
            check(manifest)
        except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
            sys.exit(f"{where}: {manifest['kind']} {manifest['metadata']['name']}: {error}")


if __name__ == "__main__":
    main()
