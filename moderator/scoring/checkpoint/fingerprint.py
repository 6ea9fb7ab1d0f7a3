"""The hash that identifies a checkpoint: it covers every file that can change a score, and no other file."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from moderator.scoring.checkpoint.files import CONFIG, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG


def fingerprint(folder: Path, weight_files: Sequence[Path]) -> str:
    """Hash the list of a checkpoint's files and their hashes, as `sha256sum` prints it, sorted by name.

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
