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
