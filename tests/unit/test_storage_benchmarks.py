"""The storage benchmarks, so small that only their names and form are tested, never their times."""

import json
from contextlib import closing

from benchmarks.__main__ import main
from tests.fakes.qdrant_server import FakeQdrant

VERSUS = {"search_speedup@120", "search_ratio_same_client", "add_speedup"}


def _results(capsys) -> dict[str, float]:
    return {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}


def test_scale_reports_every_figure(capsys, tmp_path):
    """A small store is filled, optimized, served and compared; standard output is one object with the agreed names."""
    small = ["--points", "600", "--users", "4", "--texts", "40", "--queries", "20", "--folder", str(tmp_path)]
    assert main(["scale", "--json", *small]) == 0
    results = _results(capsys)
    assert results.keys() == {
        "insert_per_s",
        "index_s",
        "search_p50_ms/engine",
        "search_p99_ms/engine",
        "search_p99_ms/with_embedding",
        "search_p99_ms/large_tenant",
        "recall@10/quantized_vs_exact",
        "vector_ram_ratio",
        "longest_pause_ms",
    }
    assert results["recall@10/quantized_vs_exact"] > 0.9
    assert not list(tmp_path.iterdir())


def test_versus_reports_every_figure(capsys):
    """Ours and both of Mem0's forms search and add; standard output is one object with the agreed names."""
    assert main(["versus", "--json", "--sizes", "120", "--queries", "5"]) == 0
    results = _results(capsys)
    assert results.keys() == VERSUS
    assert all(value > 0 for value in results.values())


def test_versus_compares_the_wires_of_a_server(capsys, monkeypatch):
    """The same memories are searched by gRPC and by REST; afterwards the server is as it was."""
    with closing(FakeQdrant()) as server:
        monkeypatch.setenv("OPTIMUS_QDRANT_GRPC_PORT", str(server.grpc_port))
        assert main(["versus", "--json", "--sizes", "120", "--queries", "5", "--url", server.rest.url]) == 0
        results = _results(capsys)
        assert results.keys() == VERSUS | {"grpc_p50_ms", "rest_p50_ms"}
        assert results["grpc_p50_ms"] > 0
        assert results["rest_p50_ms"] > 0
        searched = [name for name, _ in server.calls if name == "QueryBatch"]
        assert len(searched) == sum(path.endswith("/query/batch") for path in server.rest.paths) > 0
        assert server.engine.names() == []
