"""The text of a PDF, read in a process of its own: a hostile file can neither stop Optimus nor fill its memory.

`python -m optimus.pdf_text` reads the file from standard input and writes JSON to standard output: a list with the
text of each page, or an object with an `error`, one of `PdfProblem`.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from enum import StrEnum

TIME_S = 60
MAX_PAGES = 2_000
MAX_CHARS = 4_000_000
_MEMORY_BYTES = 2 * 1024**3


class PdfProblem(StrEnum):
    """Why a PDF was not read."""

    LOCKED = "locked"
    BROKEN = "broken"
    TOO_LONG = "too long"


class PdfError(Exception):
    """A PDF was not read; `problem` says why."""

    def __init__(self, problem: PdfProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


def pages_of(content: bytes, *, timeout_s: float = TIME_S) -> list[str]:
    """Return the text of each page.

    Args:
        content: The file.
        timeout_s: Seconds after which it is given up.

    Raises:
        PdfError: it is protected, damaged or too long, or reading it takes too long.
    """
    command = [sys.executable, "-m", "optimus.pdf_text"]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=timeout_s, check=True)  # noqa: S603
        answer = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as exc:
        raise PdfError(PdfProblem.BROKEN) from exc
    if isinstance(answer, dict):
        raise PdfError(PdfProblem(answer["error"]))
    return [str(page) for page in answer]


def _read(content: bytes) -> list[str]:
    """Read the pages, here and now.

    Raises:
        PdfError: the file is protected or too long.
    """
    from pypdf import PdfReader  # noqa: PLC0415 - only the process that reads files loads it

    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        raise PdfError(PdfProblem.LOCKED)
    if len(reader.pages) > MAX_PAGES:
        raise PdfError(PdfProblem.TOO_LONG)
    texts: list[str] = []
    for page in reader.pages:
        texts.append(page.extract_text())
        if sum(map(len, texts)) > MAX_CHARS:
            raise PdfError(PdfProblem.TOO_LONG)
    return texts


def _limit() -> None:
    """Bound what this process may use, where the system knows how."""
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_S, TIME_S))


def _main() -> None:
    _limit()
    try:
        answer: list[str] | dict[str, str] = _read(sys.stdin.buffer.read())
    except PdfError as error:
        answer = {"error": error.problem.value}
    except Exception:  # noqa: BLE001 - the library raises whatever a damaged file makes it stumble over
        answer = {"error": PdfProblem.BROKEN.value}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _main()
