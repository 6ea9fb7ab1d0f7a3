"""The hash that names a checkpoint: of every file that can change a score, and of no other."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from moderator.scoring.checkpoint.files import CONFIG, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG


def fingerprint(folder: Path, weight_files: Sequence[Path]) -> str:
    """Hash a checkpoint's files: names and hashes, in the form that `sha256sum` prints, sorted by name.

    Returns:
        `sha256:` and 64 hex digits.
    """
    described = [folder / name for name in (CONFIG, TOKENIZER, TOKENIZER_CONFIG, TEMPLATE)]
    files = sorted([*filter(Path.is_file, described), *weight_files], key=lambda file: file.name)
    with ThreadPoolExecutor() as pool:
        digests = pool.map(_sha256, files)
        lines = [f"{digest}  {file.name}\n" for file, digest in zip(files, digests, strict=True)]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
