"""The hash that identifies a checkpoint: it covers every file that can change a score, and no other file."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from moderator.scoring.checkpoint.chat_template import template_files
from moderator.scoring.checkpoint.files import CONFIG
from moderator.scoring.checkpoint.tokenizer_files import tokenizer_files


def fingerprint(folder: Path, weight_files: Sequence[Path]) -> str:
    """Hash the list of a checkpoint's files and their hashes, as `sha256sum` prints it, sorted by name.

    Returns:
        `sha256:` and 64 hex digits.
    """
    files = sorted(files_of_scores(folder, weight_files), key=lambda file: file.name)
    with ThreadPoolExecutor() as pool:
        digests = pool.map(_sha256, files)
        lines = [f"{digest}  {file.name}\n" for file, digest in zip(files, digests, strict=True)]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def files_of_scores(folder: Path, weight_files: Sequence[Path]) -> list[Path]:
    """Give every file of a checkpoint that can change a score."""
    return [folder / CONFIG, *tokenizer_files(folder), *template_files(folder), *weight_files]


def with_verdicts(of_files: str, digest: str) -> str:
    """Add to a checkpoint's fingerprint what a file says of its answers; without one it is the checkpoint's own."""
    return of_files if not digest else "sha256:" + hashlib.sha256(f"{of_files}\n{digest}\n".encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
