"""BM25 weights come from the engine's own tokenizer."""

import pytest

from optimus.storage.bm25 import Bm25Encoder, SparseWeights

ENCODER = Bm25Encoder()


def test_a_query_names_the_words_of_a_document():
    """Word forms meet: the stem of a query's word is the document's."""
    document = ENCODER.encode_document("My sisters were walking to the station")
    query = ENCODER.encode_query("sister walks")
    assert len(query.indices) == 2
    assert set(query.indices) <= set(document.indices)


def test_a_repeated_word_weighs_more_but_not_twice():
    """Term frequency saturates."""
    once = ENCODER.encode_document("peanuts")
    twice = ENCODER.encode_document("peanuts peanuts")
    assert once.indices == twice.indices
    assert once.values[0] < twice.values[0] < 2 * once.values[0]


@pytest.mark.parametrize("text", ["", "   ", "the and of", "!?"])
def test_a_text_without_words_to_search_for_is_empty(text):
    """Nothing to find is no error: the weights are empty."""
    assert ENCODER.encode_document(text) == ENCODER.encode_query(text) == SparseWeights([], [])


def test_weights_are_sorted_and_name_each_term_once():
    """The form that every engine accepts."""
    weights = ENCODER.encode_document("the quick brown fox jumps over the lazy brown dog")
    assert weights.indices == sorted(set(weights.indices))
    assert len(weights.indices) == len(weights.values)
    assert all(value > 0 for value in weights.values)


def test_a_lone_surrogate_is_no_error():
    """Text that UTF-8 cannot hold is searched by its other words."""
    assert ENCODER.encode_query("\ud800 peanuts") == ENCODER.encode_query("peanuts")


def test_other_languages_have_their_own_stop_words():
    """What is a filler in German is none in English."""
    german = Bm25Encoder(language="german")
    assert german.encode_document("nicht") == SparseWeights()
    assert ENCODER.encode_document("nicht") != SparseWeights()
    with pytest.raises(ValueError, match="klingon"):
        Bm25Encoder(language="klingon")


def test_mem0_reads_the_same_weights_as_arrays():
    """Mem0 calls `tolist` on what its encoder yields."""
    (arrays,) = ENCODER.embed(["peanut butter"])
    assert (arrays.indices.tolist(), arrays.values.tolist()) == (
        ENCODER.encode_document("peanut butter").indices,
        ENCODER.encode_document("peanut butter").values,
    )
