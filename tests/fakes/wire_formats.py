"""How each provider writes an answer: as server-sent events and as one JSON document."""

import json
from collections.abc import Sequence
from typing import Any

Events = list[bytes]
Row = dict[str, Any]

_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    529: "UNAVAILABLE",
}

INPUT_TOKENS = 11
OUTPUT_TOKENS = 4
DETAIL = "detail-4711 of the provider"
"""What a failing provider says: never for the screen or the log."""


def chat_events(model: str, words: Sequence[str], thoughts: str = "") -> Events:
    """Write an OpenAI Chat Completions stream; the usage comes once, at the end, and xAI's so far in every piece."""
    base: Row = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}
    rows = [base | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}]
    if thoughts:
        chunk = {"type": "thinking", "thinking": [{"type": "text", "text": thoughts}]}
        delta: Row = {"content": [chunk]} if model.startswith("mistral") else {"reasoning": thoughts}
        rows.append(base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    rows += [base | {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words]
    rows.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if model.startswith("grok"):
        rows = [row | {"usage": _chat_usage(min(count, OUTPUT_TOKENS))} for count, row in enumerate(rows)]
    rows.append(base | {"choices": [], "usage": _chat_usage()})
    rows[-1]["x_groq"] = {"id": "q1", "usage": _chat_usage()}
    return [*map(_data, rows), b"data: [DONE]\n\n"]


def chat_json(model: str, text: str) -> Row:
    """Write an OpenAI Chat Completions answer."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]} | {
        "usage": _chat_usage()
    }


def responses_events(model: str, words: Sequence[str], thoughts: str = "") -> Events:
    """Write an OpenAI Responses stream."""
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    first = 1 if thoughts else 0
    where = {"item_id": "m1", "output_index": first, "content_index": 0}
    begun = responses_json(model, "") | {"status": "in_progress", "output": [], "usage": None}
    part = {"type": "output_text", "text": "", "annotations": []}
    rows: list[Row] = [
        {"type": "response.created", "response": begun},
        *(_responses_summary(thoughts) if thoughts else ()),
        {"type": "response.output_item.added", "output_index": first, "item": item},
        {"type": "response.content_part.added", **where, "part": part},
        *({"type": "response.output_text.delta", **where, "delta": word, "logprobs": []} for word in words),
        {"type": "response.completed", "response": responses_json(model, "".join(words))},
    ]
    return [_named(row["type"], row | {"sequence_number": number}) for number, row in enumerate(rows)]


def _responses_summary(thoughts: str) -> list[Row]:
    """Write the summary of its reasoning that comes before an answer."""
    item: Row = {"id": "rs1", "type": "reasoning", "summary": []}
    where = {"item_id": "rs1", "output_index": 0, "summary_index": 0}
    part = {"type": "summary_text", "text": ""}
    done = item | {"summary": [{"type": "summary_text", "text": thoughts}]}
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.reasoning_summary_part.added", **where, "part": part},
        {"type": "response.reasoning_summary_text.delta", **where, "delta": thoughts},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
    ]


def responses_json(model: str, text: str) -> Row:
    """Write an OpenAI Responses answer."""
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    return {"id": "r1", "object": "response", "created_at": 1, "status": "completed", "model": model} | {
        "output": [item],
        "usage": usage,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def messages_events(model: str, words: Sequence[str], thoughts: str = "") -> Events:
    """Write an Anthropic Messages stream."""
    begun = messages_json(model, "") | {"content": [], "stop_reason": None}
    at = 1 if thoughts else 0
    rows: list[Row] = [
        {"type": "message_start", "message": begun},
        *(_messages_thinking(thoughts) if thoughts else ()),
        {"type": "content_block_start", "index": at, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": at, "delta": {"type": "text_delta", "text": w}} for w in words),
        {"type": "content_block_stop", "index": at},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]
    return [_named(row["type"], row) for row in rows]


def _messages_thinking(thoughts: str) -> list[Row]:
    """Write the block of thoughts that comes before an answer, with its signature."""
    deltas: list[Row] = [
        {"type": "thinking_delta", "thinking": thoughts},
        {"type": "signature_delta", "signature": "c2lnbmVk"},
    ]
    block = {"type": "thinking", "thinking": "", "signature": ""}
    return [
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    ]


def messages_json(model: str, text: str) -> Row:
    """Write an Anthropic Messages answer."""
    return {
        "id": "msg1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def gemini_events(model: str, words: Sequence[str], thoughts: str = "") -> Events:
    """Write a Gemini stream; every piece says what was counted so far."""
    rows = [gemini_json(model, word) for word in ([thoughts] if thoughts else []) + list(words)]
    if thoughts:
        rows[0]["candidates"][0]["content"]["parts"][0]["thought"] = True
    for count, row in enumerate(rows[:-1]):
        row["candidates"][0].pop("finishReason")
        so_far = min(count, OUTPUT_TOKENS)
        row["usageMetadata"] |= {"candidatesTokenCount": so_far, "totalTokenCount": INPUT_TOKENS + so_far}
    return [_data(row) for row in rows]


def gemini_json(model: str, text: str) -> Row:
    """Write a Gemini answer."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    usage = {
        "promptTokenCount": INPUT_TOKENS,
        "candidatesTokenCount": OUTPUT_TOKENS,
        "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "g1"}


def chat_call(model: str, name: str, arguments: Row) -> Events:
    """Write an OpenAI Chat Completions stream that calls a tool."""
    base: Row = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    delta = {"role": "assistant", "content": None, "tool_calls": [call]}
    rows = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}]
    rows.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    rows.append(base | {"choices": [], "usage": _chat_usage()})
    return [*map(_data, rows), b"data: [DONE]\n\n"]


def ollama_events(model: str, words: Sequence[str], thoughts: str = "") -> Events:
    """Write a stream as Ollama does: a role in every piece, empty texts beside thoughts, no usage unless asked for."""
    deltas: list[Row] = [{"content": "", "reasoning": thoughts}] if thoughts else []
    return _ollama([*deltas, *({"content": word} for word in words)], model, "stop")


def ollama_call(model: str, name: str, arguments: Row) -> Events:
    """Write a call of a tool as Ollama does: in one piece, its arguments too, and the end with an empty text."""
    call = {"id": "call_7", "index": 0, "type": "function", "function": {"name": name}}
    call["function"] |= {"arguments": json.dumps(arguments)}  # type: ignore[operator]
    return _ollama([{"content": "", "tool_calls": [call]}], model, "tool_calls")


def _ollama(deltas: Sequence[Row], model: str, reason: str) -> Events:
    base: Row = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    base |= {"system_fingerprint": "fp_ollama"}
    role = {"role": "assistant"}
    rows = [base | {"choices": [{"index": 0, "delta": role | delta, "finish_reason": None}]} for delta in deltas]
    rows.append(base | {"choices": [{"index": 0, "delta": role | {"content": ""}, "finish_reason": reason}]})
    rows.append(base | {"choices": [], "usage": _chat_usage()})
    return [*map(_data, rows), b"data: [DONE]\n\n"]


def responses_call(model: str, name: str, arguments: Row) -> Events:
    """Write an OpenAI Responses stream that calls a tool."""
    written = json.dumps(arguments)
    item: Row = {"id": "fc1", "type": "function_call", "call_id": "t1", "name": name, "status": "in_progress"}
    done = item | {"arguments": written, "status": "completed"}
    ended = responses_json(model, "") | {"output": [done]}
    rows: list[Row] = [
        {"type": "response.created", "response": ended | {"status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc1", "output_index": 0, "delta": written},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": ended},
    ]
    return [_named(row["type"], row | {"sequence_number": number}) for number, row in enumerate(rows)]


def messages_call(model: str, name: str, arguments: Row) -> Events:
    """Write an Anthropic Messages stream that calls a tool."""
    begun = messages_json(model, "") | {"content": [], "stop_reason": None}
    block = {"type": "tool_use", "id": "t1", "name": name, "input": {}}
    part = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
    ended = {"stop_reason": "tool_use", "stop_sequence": None}
    rows: list[Row] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": part},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": OUTPUT_TOKENS}},
        {"type": "message_stop"},
    ]
    return [_named(row["type"], row) for row in rows]


def gemini_call(model: str, name: str, arguments: Row) -> Events:
    """Write a Gemini stream that calls a tool."""
    row = gemini_json(model, "")
    row["candidates"][0]["content"]["parts"] = [{"functionCall": {"name": name, "args": arguments}}]
    return [_data(row)]


def error_body(path: str, status: int, message: str = DETAIL) -> Row:
    """Write an error the way the interface behind `path` does."""
    if path.endswith("/messages"):
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}
    if "/v1beta/" in path:
        return {"error": {"code": status, "message": message, "status": _GOOGLE_STATUS.get(status, "INTERNAL")}}
    return {"error": {"message": message, "type": "error", "code": None, "param": None}}


def stream_error(provider: str, status: int) -> bytes:
    """Write an error as a provider tells it in the middle of a stream that began well; the status is 429 or 500."""
    is_rate = status == 429
    kind = "rate_limit_exceeded" if is_rate else "server_error"
    told = {"message": DETAIL, "type": kind, "param": None, "code": kind if is_rate else None}
    match provider:
        case "openai":
            row = {"type": "error", "code": kind, "message": DETAIL, "param": None, "sequence_number": 9}
            return _named("error", row)
        case "anthropic":
            return _named("error", error_body("/messages", status))
        case "google":
            return _data(error_body("/v1beta/", status))
        case "groq":
            return _named("error", {"error": told | ({} if is_rate else {"type": "internal_server_error"})})
        case "mistral":
            name, code = ("rate_limited", "1300") if is_rate else ("service_tier_capacity_exceeded", "3505")
            return _data({"object": "error", **told, "type": name, "code": code})
    return _data({"error": told})


_ENDS = {
    '"finish_reason": "stop"': '"finish_reason": "length"',
    '"finishReason": "STOP"': '"finishReason": "MAX_TOKENS"',
    '"stop_reason": "end_turn"': '"stop_reason": "max_tokens"',
    "response.completed": "response.incomplete",
    '"status": "completed"': '"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}',
}
"""How the end of a stream reads, and how it does where the limit of tokens ended it."""
_FILTERED = {
    '"finish_reason": "length"': '"finish_reason": "content_filter"',
    '"MAX_TOKENS"': '"SAFETY"',
    '"max_tokens"': '"refusal"',
    '"max_output_tokens"': '"content_filter"',
}
"""How a stream reads that a limit ended, and how it does where a filter did."""


def cut_short_stream(events: list[bytes], *, by_filter: bool = False) -> list[bytes]:
    """Return a streamed answer as it is when the limit of tokens or a filter ended it, in any of the formats."""
    for whole, cut in [*_ENDS.items(), *(_FILTERED.items() if by_filter else ())]:
        events = [event.replace(whole.encode(), cut.encode()) for event in events]
    return events


def cut_short(row: Row) -> Row:
    """Return an answer as it is when the limit of tokens ended it, in any of the formats."""
    if "choices" in row:
        row["choices"][0]["finish_reason"] = "length"
    elif "candidates" in row:
        row["candidates"][0]["finishReason"] = "MAX_TOKENS"
    elif row.get("object") == "response":
        row |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    else:
        row["stop_reason"] = "max_tokens"
    return row


def wrong_key_body(path: str) -> Row:
    """Write the refusal of a key; Gemini's is a bad request with the reason inside."""
    if "/v1beta/" not in path:
        return error_body(path, 401)
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    return {"error": error_body(path, 400)["error"] | {"details": [reason]}}


def _chat_usage(written: int = OUTPUT_TOKENS) -> Row:
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": written, "total_tokens": INPUT_TOKENS + written}


def _data(row: Row) -> bytes:
    return b"data: " + json.dumps(row).encode() + b"\n\n"


def _named(name: str, row: Row) -> bytes:
    return b"event: " + name.encode() + b"\n" + _data(row)
