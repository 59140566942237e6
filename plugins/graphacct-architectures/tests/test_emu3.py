"""Emu3: images as words of a code, equal to what torch counted on the library's class (transformers 5.23, torch 2.13)
with its weights on a CPU, since it looks at the words."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

CODE = {"codebook_size": 40, "base_channels": 32, "channel_multiplier": [1, 2], "attn_resolutions": [1]}
CODE |= {"hidden_size": 64, "num_res_blocks": 1}
TEXT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
TEXT |= {"num_key_value_heads": 2, "vocab_size": 100, "pad_token_id": 0}
SMALL: dict[str, Any] = {
    "model_type": "emu3",
    "architectures": ["Emu3ForConditionalGeneration"],
    "vq_config": CODE,
    "text_config": TEXT,
    "vocabulary_map": {"<image>": 5},
}
OTHER = {"channel_multiplier": [1, 1, 2], "attn_resolutions": [2], "num_res_blocks": 2, "num_attention_heads": 2}
OTHER |= {"temporal_downsample_factor": 2}


@pytest.mark.parametrize(
    ("code", "sizes", "params", "forward", "step"),
    [
        (CODE, {"image_size": 8}, 741_231, 44_271_104, 48_059_904),
        ({**CODE, **OTHER}, {"image_size": (16, 8), "images": 2}, 1_077_095, 74_310_144, 78_098_944),
    ],
)
def test_the_class(code: Any, sizes: Any, params: int, forward: int, step: int) -> None:
    """Parameters with those of what draws images; FLOPs of a forward pass and of a step, in which the code has no
    gradients."""
    model = {**SMALL, "vq_config": code}
    found = graphacct.account(model, seq_len=40, attention="eager", **sizes).total
    assert (found["params"], found["matmul_flops"]) == (params, forward)
    assert graphacct.account(model, seq_len=40, attention="fused", **sizes).total["matmul_flops"] == forward
    trained = graphacct.account(model, seq_len=40, attention="eager", phase="train", loss="sum", **sizes).total
    assert trained["step_matmul_flops"] == step


def test_words_of_an_image() -> None:
    """Four rows of four words, and one behind each row."""
    with pytest.raises(graphacct.ConfigError, match="the 20 placeholders of 1 images of 20 tokens"):
        graphacct.account(SMALL, image_size=8, seq_len=8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"double_latent": True}, "double_latent is true, and the code reads 4 channels"),
        ({"hidden_size": 32}, "vq_config.hidden_size is 32, and attention reads 64 channels at a place"),
        ({"temporal_downsample_factor": 3}, "temporal_downsample_factor is a power of 2, not 3"),
        ({"attn_resolutions": "all"}, "attn_resolutions is a list of indices of channel_multiplier, not 'all'"),
    ],
)
def test_a_code_that_does_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**SMALL, "vq_config": {**CODE, **changes}}, image_size=8, seq_len=40)


def test_an_image_that_is_no_whole_words() -> None:
    with pytest.raises(graphacct.ConfigError, match="image_size 9x9 is that after resizing: multiples of 2"):
        graphacct.account(SMALL, image_size=9, seq_len=40)


def test_the_text_alone() -> None:
    """Emu3ForCausalLM is of the text's object."""
    model = {**SMALL, "architectures": ["Emu3ForCausalLM"]}
    alone = {**TEXT, "model_type": "emu3_text_model", "architectures": ["Emu3ForCausalLM"]}
    assert graphacct.account(model, seq_len=8).total == graphacct.account(alone, seq_len=8).total
