"""Embedding models in the files of their own code: keys as published, totals as the hub counts their weights (mGTE's
without a classifier of tokens, which its file has and the model that embeds does not)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct

NOMIC = {
    **{"model_type": "nomic_bert", "architectures": ["NomicBertModel"], "activation_function": "swiglu"},
    **{"n_embd": 768, "n_head": 12, "n_inner": 3072, "n_layer": 12, "n_positions": 8192, "vocab_size": 30528},
    **{"type_vocab_size": 2, "qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "prenorm": False},
    **{"rotary_emb_fraction": 1.0, "rotary_emb_base": 1000, "use_rms_norm": False, "resid_pdrop": 0.0},
}
"""nomic-ai/nomic-embed-text-v1.5: the keys that its code reads."""
GTE = {
    **{"model_type": "new", "architectures": ["NewModel"], "hidden_size": 768, "num_hidden_layers": 12},
    **{"num_attention_heads": 12, "intermediate_size": 3072, "vocab_size": 250048, "type_vocab_size": 1},
    **{"max_position_embeddings": 8192, "position_embedding_type": "rope", "rope_theta": 20000, "pack_qkv": True},
    **{"rope_scaling": {"factor": 8.0, "type": "ntk"}, "layer_norm_type": "layer_norm", "unpad_inputs": False},
    **{"logn_attention_clip1": False, "logn_attention_scale": False, "use_memory_efficient_attention": False},
}
"""Alibaba-NLP/gte-multilingual-base."""
JINA_3 = {
    **{"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"], "hidden_size": 1024},
    **{"num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, "vocab_size": 250002},
    **{"type_vocab_size": 1, "max_position_embeddings": 8194, "position_embedding_type": "rotary", "lora_rank": 4},
    **{"auto_map": {"AutoModel": "jinaai/xlm-roberta-flash-implementation--modeling_lora.XLMRobertaLoRA"}},
    **{"lora_adaptations": ["retrieval.query", "retrieval.passage", "separation", "classification", "text-matching"]},
}
"""jinaai/jina-embeddings-v3."""
COLBERT = {"model_type": "bert", "architectures": ["HF_ColBERT"], "hidden_size": 768, "num_hidden_layers": 12}
"""colbert-ir/colbertv2.0, whose sizes are BERT's."""


def params(folder: Path, content: dict[str, Any], **options: Any) -> int:
    (folder / "config.json").write_text(json.dumps(content))
    return int(graphacct.account(folder, seq_len=4, **options).total["params"])


@pytest.mark.parametrize(
    ("content", "published"), [(NOMIC, 136_731_648), (GTE, 305_368_320), (COLBERT, 109_580_544)], ids=str
)
def test_totals(content: dict[str, Any], published: int, tmp_path: Path) -> None:
    assert params(tmp_path, content) == published


@pytest.mark.parametrize(
    ("preset", "published", "beside"),
    [
        ("bge-small-en-v1.5", 33_360_512, 512),
        ("bge-base-en-v1.5", 109_482_752, 512),
        ("bge-large-en-v1.5", 335_142_400, 512),
        ("ms-marco-minilm-l6-v2", 22_714_113, 512),
        ("bge-reranker-v2-m3", 567_755_777, 0),
        ("nomic-embed-text-v1.5", 136_731_648, 0),
        ("gte-multilingual-base", 305_369_089, 768 + 1),
    ],
)
def test_presets_have_the_totals_of_their_weights(preset: str, published: int, beside: int) -> None:
    """What the hub says of their safetensors. BERT's files have 512 positions' numbers, a buffer, among the weights;
    mGTE's have a classifier of tokens with one label, which the model that embeds does without."""
    assert graphacct.account(preset, seq_len=4).total["params"] + beside == published


def test_rotary_positions_under_another_name(tmp_path: Path) -> None:
    """The total that is published, 572,310,396, has five adapters of rank 4 on the tables, projections and pooler."""
    with pytest.raises(graphacct.GraphacctError, match="set=model_type=jina_embeddings_v3 reads the file as that"):
        params(tmp_path, JINA_3)
    rows, joint, wide = (250002 + 1024) + (1 + 1024), (1024 + 3 * 1024) + 2 * 1024, 2 * (1024 + 4096)
    adapters = 5 * 4 * (rows + 24 * (joint + wide) + 2 * 1024)
    found = params(tmp_path, JINA_3, set={"model_type": "jina_embeddings_v3"})
    assert found + adapters == 572_310_396


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"activation_function": "gelu"}, "activation_function is 'gelu': only networks with a gate are modelled"),
        ({"num_experts": 8}, "num_experts is 8: Nomic BERT with experts is not modelled"),
        ({"prenorm": True}, "prenorm"),
    ],
)
def test_other_variants_of_nomic(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(graphacct.GraphacctError, match=said):
        params(tmp_path, {**NOMIC, **changed})


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra"])
def test_no_family_of_learned_positions_takes_rotary_ones(kind: str, tmp_path: Path) -> None:
    with pytest.raises(graphacct.GraphacctError, match="position_embedding_type"):
        params(tmp_path, {"model_type": kind, "num_hidden_layers": 1, "position_embedding_type": "rotary"})
