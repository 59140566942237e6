"""Encoders that attend in blocks beside a decoder: figures of small configurations, measured with the library (5.23).

Each has odd lengths, so that texts are padded to whole blocks; saved bytes are those of a training step.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

PEGASUS_X: dict[str, Any] = {
    **{"model_type": "pegasus_x", "architectures": ["PegasusXForConditionalGeneration"], "vocab_size": 100},
    **{"d_model": 32, "encoder_layers": 3, "decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 40},
    **{"encoder_attention_heads": 4, "decoder_attention_heads": 2, "num_global_tokens": 3, "block_size": 8},
    "max_position_embeddings": 64,
}
LONGT5: dict[str, Any] = {
    **{"model_type": "longt5", "architectures": ["LongT5ForConditionalGeneration"], "vocab_size": 100, "d_model": 32},
    **{"d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 3, "local_radius": 3, "global_block_size": 4},
    **{"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}
BIGBIRD: dict[str, Any] = {
    **{"model_type": "bigbird_pegasus", "architectures": ["BigBirdPegasusForConditionalGeneration"]},
    **{"vocab_size": 100, "d_model": 32, "encoder_layers": 3, "decoder_layers": 2, "encoder_ffn_dim": 48},
    **{"decoder_ffn_dim": 40, "encoder_attention_heads": 4, "decoder_attention_heads": 2, "num_random_blocks": 1},
    **{"block_size": 4, "max_position_embeddings": 64},
}
MEASURED = [
    (PEGASUS_X, 20, 47_776, 2_566_528, 7_617_408, 312_152),
    (LONGT5, 18, 40_640, 1_612_800, 4_838_400, 351_936),
    ({**LONGT5, "encoder_attention_type": "transient-global"}, 18, 40_800, 1_661_952, 4_976_640, 369_632),
    (BIGBIRD, 38, 51_584, 4_742_656, 14_227_968, None),
    ({**BIGBIRD, "architectures": ["BigBirdPegasusForCausalLM"]}, 38, 30_544, 1_624_576, 4_873_728, 197_600),
]


@pytest.mark.parametrize(("model", "seq", "params", "forward", "step", "saved"), MEASURED)
def test_figures(model: dict[str, Any], seq: int, params: int, forward: int, step: int, saved: int | None) -> None:
    options: dict[str, Any] = {"seq_len": seq, "attention": "eager", "convention": "matmul"}
    report = graphacct.account(model, **options)
    assert (report.total["params"], report.total["matmul_flops"]) == (params, forward)
    trained = graphacct.account(model, phase="train", loss="sum", quantities=("step_matmul_flops",), **options)
    assert trained.total["step_matmul_flops"] == step
    if saved is not None:
        found = graphacct.memory(model, seq_len=seq, attention="eager", loss="sum", profile="torch-eager-cpu")
        assert found.saved_activations == saved


@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
@pytest.mark.parametrize("model", [PEGASUS_X, LONGT5, BIGBIRD], ids=lambda model: model["model_type"])
def test_folded_equals_unrolled(model: dict[str, Any], phase: str) -> None:
    graph = graphacct.build(model, seq_len=17, phase=phase)
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({**PEGASUS_X, "block_size": 5}, "block_size is 5: blocks that are staggered by half have an even number"),
        ({**LONGT5, "encoder_attention_type": "full"}, "encoder_attention_type cannot be 'full'"),
        (
            {**LONGT5, "encoder_attention_type": "transient-global", "global_block_size": 40},
            "encoder_seq_len is 17: a text has at least global_block_size 40",
        ),
    ],
)
def test_refusals(model: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(model, seq_len=17)


def test_published_files() -> None:
    """Keys of published files that change nothing here: google/pegasus-x-base and google/long-t5-tglobal-base."""
    for model in (
        {**PEGASUS_X, "static_position_embeddings": True, "add_bias_logits": False, "num_beams": 8, "max_length": 512},
        {**LONGT5, "n_positions": 4096, "output_past": True, "relative_attention_max_distance": 128},
    ):
        plain = {key: value for key, value in model.items() if key in PEGASUS_X or key in LONGT5}
        assert graphacct.account(model, seq_len=9).total == graphacct.account(plain, seq_len=9).total
