"""A small OpenAI-compatible server on loopback that streams the prompt's own words back, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

MODEL = "gpt-6-luna"
_START_S = 20.0


@contextmanager
def echo_server(*, words: int, pause_ms: float) -> Iterator[str]:
    """Run the server and yield its base URL; each answer has `words` words, `pause_ms` apart.

    Raises:
        TimeoutError: it did not start.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, words, pause_ms), daemon=True)
    process.start()
    try:
        if not ours.poll(_START_S):
            raise TimeoutError("the model server did not start")
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def answer_to(prompt: str, words: int) -> str:
    """Return the one right answer to a prompt: its last word, again and again."""
    return " ".join([prompt.rsplit(maxsplit=1)[-1]] * words)


def _serve(pipe: Connection, words: int, pause_ms: float) -> None:
    asyncio.run(_run(pipe, words, pause_ms))


async def _run(pipe: Connection, words: int, pause_ms: float) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(reader, writer, words, pause_ms):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1000)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: int, pause_ms: float) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    body: dict[str, Any] = json.loads(await reader.readexactly(length) or b"{}")
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        b"Cache-Control: no-cache\r\n\r\n"
    )
    text = answer_to(body["messages"][-1]["content"], words)
    for number, word in enumerate(text.split(" ")):
        _send(writer, _chunk({"content": word if number == 0 else f" {word}"}, None))
        await writer.drain()
        await asyncio.sleep(pause_ms / 1000)
    _send(writer, _chunk({}, "stop"))
    _send(
        writer, {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": words, "total_tokens": 10 + words}}
    )
    writer.write(_framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    await writer.drain()
    return True


def _chunk(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _send(writer: asyncio.StreamWriter, row: dict[str, Any]) -> None:
    whole = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL} | row
    writer.write(_framed(b"data: " + json.dumps(whole).encode() + b"\n\n"))


def _framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
