"""Families whose class stands in the models' own repositories: no library's class measures them.

The parameters are the arithmetic of the shapes in the repositories' code, and agree with the totals that the models'
pages print.
"""

from __future__ import annotations

import pytest

import graphacct
from graphacct.hooks.manager import default
from graphacct.models.find import preset

PUBLISHED = {
    # embedding and head, then layers of projections, network and norms, and the last norm
    "internlm2-7b": 2 * 92544 * 4096 + 32 * (4096 * (6144 + 4096) + 3 * 4096 * 14336 + 2 * 4096) + 4096,
    "internlm2-20b": 2 * 92544 * 6144 + 48 * (6144 * (8192 + 6144) + 3 * 6144 * 16384 + 2 * 6144) + 6144,
    "qwen-7b": 2 * 151936 * 4096 + 32 * (4 * 4096**2 + 3 * 4096 + 3 * 4096 * 11008 + 2 * 4096) + 4096,
    "qwen-14b": 2 * 152064 * 5120 + 40 * (4 * 5120**2 + 3 * 5120 + 3 * 5120 * 13696 + 2 * 5120) + 5120,
    "chatglm3-6b": 2 * 65024 * 4096 + 28 * (4608 * 4097 + 4096**2 + 3 * 13696 * 4096 + 2 * 4096) + 4096,
    "baichuan2-7b": 2 * 125696 * 4096 + 32 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096) + 4096,
    "baichuan2-13b": 2 * 125696 * 5120 + 40 * (4 * 5120**2 + 3 * 5120 * 13696 + 2 * 5120) + 5120,
    "minicpm-2b": 122753 * 2304 + 40 * (4 * 2304**2 + 3 * 2304 * 5760 + 2 * 2304) + 2304,
}
PRINTED = {
    "internlm2-7b": "7.74",
    "internlm2-20b": "19.86",
    "qwen-7b": "7.72",
    "qwen-14b": "14.17",
    "chatglm3-6b": "6.24",
    "baichuan2-7b": "7.51",
    "baichuan2-13b": "13.90",
    "minicpm-2b": "2.72",
}
"""Billions, as the models' pages on the Hugging Face Hub print them."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters(name: str) -> None:
    found = graphacct.account(name, seq_len=8).total["params"]
    assert found == PUBLISHED[name]
    assert f"{found / 1e9:.2f}" == PRINTED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_products(name: str) -> None:
    """2 FLOPs for each weight that a token is multiplied with (all but the embedding, norms and biases), and two
    products with each of 8 positions in all heads."""
    found = graphacct.account(name, seq_len=8, attention="eager", convention="matmul")
    rows = [row for row in found.by_parameter if len(row.parameter.spec.shape) == 2 and not row.parameter.tied_to]
    weights = sum(row.parameter.spec.elements * row.count for row in rows)
    head = next(row for row in rows if "emb" in row.parameter.name or "wte" in row.parameter.name)
    if name != "minicpm-2b":  # its head is the embedding
        weights -= head.parameter.spec.elements
    width, layers = attention_of(name)
    assert found.total["matmul_flops"] == 8 * 2 * weights + layers * 2 * 2 * 8 * 8 * width


def attention_of(name: str) -> tuple[int, int]:
    """The width of all heads of queries together, and the number of layers."""
    found = preset(name, default())
    assert found is not None
    config = found[1]
    layers = getattr(config, "num_layers", None) or config.num_hidden_layers
    return config.hidden_size, layers


def test_a_width_of_half_a_head_is_refused() -> None:
    """Qwen's heads are `kv_channels` wide, and together as wide as the stream."""
    with pytest.raises(graphacct.ConfigError, match="kv_channels 64 times num_attention_heads 32 is not hidden_size"):
        graphacct.account("qwen-7b", set={"kv_channels": 64})


def test_chatglm_is_a_language_model_under_the_name_of_the_bare_one() -> None:
    """Published files name ChatGLMModel and map it to the language model: the logits are there."""
    found = graphacct.account("chatglm3-6b", seq_len=8)
    assert any(row.parameter.name == "transformer.output_layer.weight" for row in found.by_parameter)
