"""Encoders that vary BERT's layers: what is refused, and figures of the library's classes.

Measured with `graphacct verify --torch` (transformers 5.23, torch 2.13), batch 1, seq_len 8, attention eager.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

SMALL: dict[str, Any] = {
    **{"vocab_size": 29, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2},
    **{"intermediate_size": 12, "max_position_embeddings": 16},
}
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"model_type": "ibert", "quant_mode": True}, "quant_mode is True: arithmetic of integers is not modelled"),
    ({"model_type": "ibert", "hidden_act": "relu"}, "hidden_act is 'relu': I-BERT's class has gelu alone"),
    ({"model_type": "fnet", "use_tpu_fourier_optimizations": True}, "transforms as products of matrices"),
    ({"model_type": "squeezebert", "embedding_size": 4}, "embedding_size 4 is not hidden_size 8"),
    (
        {"model_type": "mobilebert", "key_query_shared_bottleneck": False, "intra_bottleneck_size": 4},
        "key_query_shared_bottleneck is False: queries of hidden_size do not fit",
    ),
    (
        {"model_type": "convbert", "is_decoder": True, "add_cross_attention": True},
        "ConvBERT as a decoder beside an encoder is not modelled",
    ),
    ({"model_type": "bros", "dim_bbox": 4}, "dim_bbox is 4: a box has the 8 coordinates of its corners"),
    ({"model_type": "xmod", "default_language": "x"}, "default_language 'x' is not one of the languages"),
    ({"model_type": "xmod", "languages": []}, "languages is a list of names of languages"),
    ({"model_type": "xmod", "default_language": 1}, "default_language is the name of a language, not 1"),
    ({"model_type": "roformer", "max_position_embeddings": 4}, "seq_len 8 is beyond the 4 positions"),
)


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_is_not_modelled_is_refused_by_name(content: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**SMALL, **content}, seq_len=8)


JINA: dict[str, Any] = {**SMALL, "type_vocab_size": 2, "feed_forward_type": "geglu", "position_embedding_type": "alibi"}


def test_a_file_of_jina_that_calls_its_type_bert_is_read_by_its_class() -> None:
    content = {
        **JINA,
        "model_type": "bert",
        "architectures": ["JinaBertModel"],
        "auto_map": {"AutoModel": "x.JinaBert"},
    }
    found = graphacct.account(content, seq_len=8)
    own = graphacct.account({**content, "model_type": "jina_bert"}, seq_len=8)
    assert found.total["params"] == own.total["params"]
    assert found.total["flops"] == own.total["flops"]


def test_jinas_variant_with_normalized_queries_is_refused() -> None:
    """Its class has the same name, and other weights (jina-embeddings-v2-base-code)."""
    code = {"AutoModel": "jinaai/jina-bert-v2-qk-post-norm--modeling_bert.JinaBertModel"}
    content = {"model_type": "bert", "architectures": ["JinaBertModel"], "auto_map": code, "hidden_size": 24}
    with pytest.raises(graphacct.GraphacctError, match="auto_map names jina-bert-v2-qk-post-norm, whose queries and"):
        graphacct.account({**content, "num_attention_heads": 4, "num_hidden_layers": 1, "intermediate_size": 8})


PUBLISHED: tuple[tuple[dict[str, Any], int], ...] = (
    ({"model_type": "neobert", "architectures": ["NeoBERT"]}, 221_665_536),
    # 30528 rows of words and 2 of types, 12 layers of 9,444,096, a pooler: "137M" on its page (jina-embeddings-v2-base)
    ({"model_type": "jina_bert", "architectures": ["JinaBertModel"]}, 137_368_320),
)


@pytest.mark.parametrize(("content", "params"), PUBLISHED, ids=lambda value: str(value)[:30])
def test_parameters_of_models_whose_classes_no_library_has(content: dict[str, Any], params: int) -> None:
    assert graphacct.account(content, seq_len=8).total["params"] == params


BANDS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"model_type": "longformer", "attention_window": 3}, "attention_window has 3: a window is an even number"),
    ({"model_type": "longformer", "attention_window": [4, 4, 4]}, "attention_window has 3 windows for 2 layers"),
    ({"model_type": "longformer", "attention_window": [4, 6]}, "texts are padded to the largest window alone"),
    ({"model_type": "longformer", "max_position_embeddings": 6}, "seq_len 8 is beyond the 4 positions"),
    ({"model_type": "yoso", "use_expectation": False}, "use_expectation is False: hashing is not modelled"),
    ({"model_type": "nystromformer", "num_landmarks": 4}, "seq_len is 8: landmarks are means of a text of"),
    (
        {"model_type": "big_bird", "is_decoder": True, "add_cross_attention": True},
        "BigBird as a decoder beside an encoder is not modelled",
    ),
    ({"model_type": "layoutlmv3", "text_embed": False}, "a model of pages without texts is not read"),
)


@pytest.mark.parametrize(("content", "message"), BANDS, ids=lambda value: str(value)[:60])
def test_bands_and_pages_that_are_not_modelled(content: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**SMALL, **content}, seq_len=8)


def test_a_long_text_is_attended_to_in_blocks() -> None:
    """BigBirdModel, measured with `graphacct verify --torch` (transformers 5.23, torch 2.13), batch 1, seq_len 21: 22
    tokens with the padding, in 11 blocks of 2; each middle block sees 6 blocks, and 4 stand apart at the ends."""
    content = {**SMALL, "model_type": "big_bird", "block_size": 2, "num_random_blocks": 1, "type_vocab_size": 2}
    sparse = graphacct.account({**content, "max_position_embeddings": 64}, seq_len=21, convention="matmul")
    # a layer's linear layers on 22 tokens: 4 of 8 x 8, and 8 x 12 twice; products of 2 heads of 4: 2 blocks with all 22
    # keys, 2 with 5 blocks of 2, 7 with 6 blocks of 2; and the pooler on one token
    linear = 2 * 22 * (4 * 8 * 8 + 2 * 8 * 12)
    products = 2 * 2 * 2 * 4 * 2 * (2 * 22 + 2 * 10 + 7 * 12)
    assert sparse.total["matmul_flops"] == 2 * (linear + products) + 2 * 8 * 8


def test_a_width_of_heads_that_is_not_the_models() -> None:
    with pytest.raises(graphacct.GraphacctError, match="d_head is 5, and d_model / n_head 4"):
        graphacct.account({"model_type": "xlnet", "d_model": 8, "n_head": 2, "d_head": 5}, seq_len=8)
