"""Layers that run twice, or reuse another layer's keys, and Phi-3-small: decoders whose class no library has.

The parameters are the arithmetic of the shapes in the repositories' code (and in mlx-lm's). The sizes of
IQuest-Coder-Loop and Phi-3-small were compared with public copies of their config.json, AFM's are the defaults of the
class in its own package (AFMTextV7). No published total was found that is finer than the models' names.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

LOOP: dict[str, Any] = {  # the sizes of huggingface.co/IQuestLab/IQuest-Coder-V1-40B-Loop-Instruct, with 2 layers
    **{"model_type": "iquestloopcoder", "architectures": ["IQuestLoopCoderForCausalLM"], "hidden_size": 5120},
    **{"intermediate_size": 27648, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128},
    **{"vocab_size": 76800, "loop_num": 2, "loop_window_size": 64, "num_hidden_layers": 2, "rope_theta": 500000.0},
    **{"attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False, "max_position_embeddings": 131072},
}
SMALL: dict[str, Any] = {  # huggingface.co/microsoft/Phi-3-small-8k-instruct
    **{"model_type": "phi3small", "architectures": ["Phi3SmallForCausalLM"], "hidden_size": 4096, "vocab_size": 100352},
    **{"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "ff_intermediate_size": 14336},
    **{"hidden_act": "gegelu", "gegelu_limit": 20.0, "dense_attention_every_n_layers": 2, "attention_bias": False},
    **{"mup_use_scaling": True, "mup_width_multiplier": 8.0, "mup_embedding_multiplier": 10.0},
    **{"blocksparse_block_size": 64, "blocksparse_num_local_blocks": 16, "blocksparse_vert_stride": 8},
}
AFM: dict[str, Any] = {
    **{"model_type": "afm7", "hidden_dim": 2048, "num_layers": 56, "num_kv_reuse_layers": 21, "num_heads": 16},
    **{"num_kv_heads": 2, "vocab_size": 153600, "hidden_dim_scale_factor": 3.25, "rope_theta": 500000.0},
}
LAYER = 5120 * 128 * (40 + 8 + 8 + 40) + 3 * 5120 * 27648 + 2 * 5120
CASES = [
    (LOOP, 2 * 76800 * 5120 + 2 * (LAYER + 40 * 128 + 40) + 5120),
    (
        SMALL,
        100352 * 4096
        + 32 * (4096 * 6144 + 6144 + 4096**2 + 4096 + 4096 * 28672 + 28672 + 14336 * 4096 + 4096 + 4 * 4096)
        + 2 * 4096,
    ),
    (
        AFM,
        153600 * 2048
        + 35 * (2048 * 20 * 128 + 2 * 128 + 2048**2 + 3 * 2048 * 6656 + 2 * 2048)
        + 21 * (2 * 2048**2 + 128 + 3 * 2048 * 6656 + 2 * 2048)
        + 2048,
    ),
]


@pytest.mark.parametrize(("model", "expected"), CASES, ids=[case[0]["model_type"] for case in CASES])
def test_parameters(model: dict[str, Any], expected: int) -> None:
    """IQuest-Coder-Loop's gates are all that it adds to Llama's layers."""
    assert graphacct.account(model, seq_len=8, phase="decode").total["params"] == expected


def test_layers_run_twice() -> None:
    """Each weight but the embedding and the head is multiplied twice, scores and values three times (once in the first
    run, with the first run's keys and with its own in the second), and a gate's vector with each query."""
    found = graphacct.account(LOOP, seq_len=8, attention="eager", convention="matmul").total["matmul_flops"]
    layers = 2 * (LAYER - 2 * 5120)
    assert found == 8 * 2 * (2 * layers + 76800 * 5120 + 2 * 40 * 128) + 3 * 2 * 2 * 2 * 8 * 8 * 5120
    cached = graphacct.account(LOOP, phase="decode", cache_len=100, convention="matmul").total
    token = 2 * 2 * 8 * 128 * 2
    assert cached["kv_cache_bytes"] == token * 101 + token * 64, "the second run keeps its window"


def test_later_layers_reuse_keys() -> None:
    """35 layers have keys and values; 21 read those of the last of them."""
    found = graphacct.account(AFM, phase="decode", cache_len=9).total
    assert found["kv_cache_bytes"] == 35 * 2 * 2 * 128 * 2 * 10


@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_folded_equals_unrolled(phase: str, attention: str) -> None:
    small = {**AFM, "hidden_dim": 32, "num_layers": 5, "num_kv_reuse_layers": 2, "num_heads": 4, "vocab_size": 20}
    graph = graphacct.build(small, seq_len=9, phase=phase, attention=attention)
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({**LOOP, "loop_num": 3}, "loop_num is 3: the layers of this family run 2 times"),
        ({**SMALL, "hidden_act": "gelu"}, "hidden_act cannot be 'gelu'"),
        ({**AFM, "num_kv_reuse_layers": 56}, "num_kv_reuse_layers is 56, num_layers 56: some layer has keys to reuse"),
    ],
)
def test_refusals(model: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(model, seq_len=8)


def test_classifiers_of_t5gemma() -> None:
    """The encoder alone, or both stacks, with a head named `score.out_proj`: parameters and FLOPs of the library's
    class (5.23), of which that with both stacks does not run."""
    sizes = {
        **{"vocab_size": 100, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "head_dim": 8},
        **{"num_attention_heads": 4, "num_key_value_heads": 2, "query_pre_attn_scalar": 8},
    }
    model = {"model_type": "t5gemma", "encoder": sizes, "decoder": sizes, "num_labels": 3}
    for name in ("T5GemmaForSequenceClassification", "T5GemmaForTokenClassification"):
        both = graphacct.account({**model, "architectures": [name]}, seq_len=10, convention="matmul").total
        own = {**model, "architectures": ["T5GemmaModel"]}
        plain = graphacct.account(own, seq_len=10, convention="matmul").total
        assert both["params"] - plain["params"] == 3 * 32 + 3
        assert both["matmul_flops"] - plain["matmul_flops"] == 2 * 10 * 3 * 32
        encoder = {**model, "architectures": [name], "is_encoder_decoder": False}
        own = {**model, "architectures": ["T5GemmaEncoderModel"]}
        alone = graphacct.account(encoder, seq_len=10).total["params"]
        assert alone - graphacct.account(own, seq_len=10).total["params"] == 3 * 32 + 3
        with pytest.raises(graphacct.GraphacctError, match=f"{name} classifies: it has the phases forward and train"):
            graphacct.account({**model, "architectures": [name]}, seq_len=10, phase="decode")
