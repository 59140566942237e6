"""Keys and values of decoders' files: activations, early spellings, windows, and stacks of layers that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graphacct_architectures.activations import ACTIVATIONS

import graphacct
from graphacct.errors import GraphacctError

FAMILIES = Path(__file__).parents[3] / "tests" / "goldens" / "families"
SMALL = {"vocab_size": 64, "hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 40}


def saved(folder: Path, **content: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def refused(folder: Path, **content: Any) -> str:
    """The message of a file that is not read."""
    with pytest.raises(GraphacctError) as error:
        graphacct.account(saved(folder, **content), seq_len=8)
    return str(error.value)


BLOCKS = {
    "gemma-2-9b": 1,  # 21 times a layer with a window and one without
    "gemma-3-1b": 2,  # 4 times five with a window and one without; two more with
    "gpt-neo-125m": 1,  # global and local in turn
    "gpt-oss-20b": 1,  # with a window and without in turn
    "smollm3-3b": 1,  # 9 times three layers with rotary positions and one without
    "deepseek-v2-lite": 2,  # one dense layer, 26 with experts
    "deepseek-v3": 2,  # 3 dense layers, 58 with experts
    "small-qwen3-moe-mixed": 2,  # of 9 layers those at 3, 5 and 7 have experts: 3 dense, then 3 times sparse and dense
    "small-qwen2-window": 2,  # 2 layers without a window, 3 with
    "small-qwen2-moe": 1,  # all alike
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_stack_is_as_few_blocks_as_its_order_allows(name: str) -> None:
    """Layers that differ in turn are one block whose body is the period."""
    model = FAMILIES / name if (FAMILIES / name).exists() else name
    graph = graphacct.build(model, seq_len=300, attention="eager")
    assert sum(isinstance(node, graphacct.Block) for node in graph.nodes) == BLOCKS[name]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_its_operators(name: str, tmp_path: Path) -> None:
    """Each name of the library's builds, forward and backward; none of them has a product of matrices."""
    folder = saved(tmp_path, model_type="llama", num_hidden_layers=2, hidden_act=name, **SMALL)
    common = {"seq_len": 8, "phase": "train", "convention": "matmul"}
    found = graphacct.account(folder, **common)
    usual = graphacct.account(folder, **common, set={"hidden_act": "relu"})
    assert found.total["step_matmul_flops"] == usual.total["step_matmul_flops"]
    gpt2 = graphacct.account("gpt2", seq_len=8, set={"activation_function": name, "n_layer": 1})
    assert gpt2.total["matmul_flops"] > 0


@pytest.mark.parametrize("name", ["prelu", "xielu"])
def test_an_activation_with_parameters_is_refused(name: str, tmp_path: Path) -> None:
    """It would add tensors to every layer."""
    content = {"model_type": "llama", "num_hidden_layers": 2, "hidden_act": name, **SMALL}
    assert f"hidden_act cannot be '{name}'" in refused(tmp_path, **content)


@pytest.mark.parametrize("kind", ["phi-msft", "mixformer-sequential"])
def test_phi_of_the_first_days(kind: str, tmp_path: Path) -> None:
    """GPT-2's names of sizes, a network four times as wide, and the dimensions rotated instead of their share."""
    early = {"n_embd": 2048, "n_head": 32, "n_head_kv": None, "n_inner": None, "n_layer": 24, "n_positions": 2048}
    early |= {"activation_function": "gelu_new", "rotary_dim": 32, "torch_dtype": "float16", "vocab_size": 51200}
    early |= {"architectures": ["MixFormerSequentialForCausalLM"], "layer_norm_epsilon": 1e-5}
    for attention in ("eager", "fused"):
        same = {"seq_len": 64, "attention": attention}
        found = graphacct.account(saved(tmp_path, model_type=kind, **early), **same)
        assert found.total == graphacct.account("phi-1.5", **same).total
    # the network of another width: 24 layers of two matrices and the bias of the first
    wider = graphacct.account(saved(tmp_path, model_type=kind, **{**early, "n_inner": 8193}), seq_len=64)
    assert wider.total["params"] == found.total["params"] + 24 * (2 * 2048 + 1)


@pytest.mark.parametrize("family", ["gpt_neox", "stablelm"])
def test_head_dim_is_nothing_to_families_without_it(family: str, tmp_path: Path) -> None:
    """Their classes divide the width among the heads whatever `head_dim` says."""
    content = {"model_type": family, "num_hidden_layers": 2, "num_key_value_heads": 4, **SMALL}
    content["partial_rotary_factor"] = 0.5
    plain = graphacct.account(saved(tmp_path, **content), seq_len=8).total
    assert graphacct.account(saved(tmp_path, **content, head_dim=20), seq_len=8).total == plain


def test_an_odd_number_of_dimensions_is_turned_in_pairs(tmp_path: Path) -> None:
    """A head of 10 and half of it: 5, turned as 3 pairs with the dimension behind them."""
    sizes = {"vocab_size": 64, "hidden_size": 40, "num_attention_heads": 4, "intermediate_size": 40}
    content = {"model_type": "gpt_neox", "num_hidden_layers": 1, **sizes}
    odd = graphacct.account(saved(tmp_path, **content, rotary_pct=0.5), seq_len=8)
    even = graphacct.account(saved(tmp_path, **content, rotary_pct=0.6), seq_len=8)
    assert odd.total == even.total


def test_gpt_neox_reads_the_rotated_part_under_its_own_key(tmp_path: Path) -> None:
    """transformers 5.24 (GPTNeoXConfig.convert_rope_params_to_dict): the factor in the settings, or else `rotary_pct`,
    0.25 unless given; `partial_rotary_factor` beside them is not read. Of a head of 8, 2 or 6 dimensions are turned."""
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "vocab_size": 64, "intermediate_size": 40}
    content = {"model_type": "gpt_neox", "num_hidden_layers": 1, **sizes}

    def turned(**keys: Any) -> int:
        report = graphacct.account(saved(tmp_path, **content, **keys), seq_len=8, dtype="float32")
        return int(report["gpt_neox.layers.*.attention.q_rope"].values["write_bytes"]) // (4 * 8 * 4)

    settings = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    assert [turned(), turned(partial_rotary_factor=0.75), turned(rotary_pct=0.75)] == [2, 2, 6]
    assert turned(rotary_pct=0.75, rope_parameters=settings) == 4


def test_attention_both_ways_sees_half_its_window_to_either_side(tmp_path: Path) -> None:
    """EmbeddingGemma: a window of 20 is 10 positions and the token itself, which is what a cache of it would hold."""
    content = {"model_type": "gemma3_text", "num_hidden_layers": 2, "num_key_value_heads": 2, "head_dim": 8, **SMALL}
    content |= {"sliding_window": 20, "layer_types": ["sliding_attention", "full_attention"]}
    both = saved(tmp_path, **content, use_bidirectional_attention=True)
    graph = graphacct.build(both, seq_len=8, attention="fused")
    decoding = {"phase": "decode", "cache_len": 30, "attention": "eager", "convention": "matmul"}
    wide = graphacct.account(both, **decoding).total["matmul_flops"]
    narrow = graphacct.account(saved(tmp_path, **{**content, "sliding_window": 11}), **decoding).total["matmul_flops"]
    assert wide == narrow
    kernels = [node for node in graph.unroll().nodes if node.name.endswith(".sdpa")]
    assert [node.attributes["causal"] for node in kernels] == [False, False]


def test_layer_types_give_a_window_whatever_use_sliding_window_says(tmp_path: Path) -> None:
    """SmolLM3's masks and cache go by `layer_types`: 8 of 30 cached tokens less one, and the new one."""
    content = {"model_type": "smollm3", "num_hidden_layers": 1, "num_key_value_heads": 4, **SMALL}
    content |= {"use_sliding_window": False, "sliding_window": 8}
    decoding = {"phase": "decode", "cache_len": 30, "attention": "eager", "convention": "matmul"}
    total = {
        kind: graphacct.account(saved(tmp_path, **content, layer_types=[kind]), **decoding).total["matmul_flops"]
        for kind in ("full_attention", "sliding_attention")
    }
    # scores and values of 31 positions and of 8, in a width of 48
    assert total["full_attention"] - total["sliding_attention"] == 2 * 2 * (31 - 8) * 48


@pytest.mark.parametrize("family", ["qwen3", "qwen3_moe"])
def test_a_key_that_says_what_the_family_is_anyway(family: str, tmp_path: Path) -> None:
    """Qwen3-Coder's files say that queries and keys are normalized, as they always are."""
    content = {"model_type": family, "num_hidden_layers": 1, "num_key_value_heads": 4, **SMALL}
    plain = graphacct.account(saved(tmp_path, **content)).total
    assert graphacct.account(saved(tmp_path, **content, use_qk_norm=True)).total == plain


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model_type": "qwen3_moe", "layer_types": ["full_attention"], "use_sliding_window": True},
            "layer_types has 'full_attention': every layer of this configuration has sliding_attention",
        ),
        ({"model_type": "gemma2", "sliding_window": None}, "sliding_window is not there"),
        ({"model_type": "qwen3_moe", "use_qk_norm": False}, "use_qk_norm is always true in this family, not False"),
        ({"model_type": "llama", "use_qk_norm": True}, "use_qk_norm is True, which llama does not know"),
        (
            {"model_type": "qwen3", "num_key_value_heads": 4, "quantization_config": {"quant_method": "vptq"}},
            "quantization_config: quant_method is 'vptq', which is not known",
        ),
        ({"model_type": "llama", "per_layer_config": {"0": {"intermediate_size": 8}}}, "per_layer_config"),
        (
            {"model_type": "shieldgemma9", "text_config": {"model_type": "gemma3_text"}, "vision_config": {}},
            "its text_config is of gemma3_text: save that object as a config.json of its own",
        ),
    ],
)
def test_what_is_not_read_is_named(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    """A key that would change the cost, with what to do."""
    assert message in refused(tmp_path, num_hidden_layers=1, **SMALL, **content)


@pytest.mark.parametrize(
    ("family", "key", "other", "counts"),
    [
        ("gpt2", "n_embd", "hidden_size", "hidden_size"),
        ("gptj", "n_layer", "num_hidden_layers", "num_hidden_layers"),
        ("bloom", "hidden_size", "n_embed", "n_embed"),
        ("gpt2", "n_positions", "n_ctx", "n_positions"),
        ("qwen3_moe", "num_local_experts", "num_experts", "num_local_experts"),
    ],
)
def test_a_file_with_two_spellings_of_a_key(family: str, key: str, other: str, counts: str, tmp_path: Path) -> None:
    """The library sets what it translates last, so that it counts; a spelling that it does not know does not."""
    small = {"model_type": family, "hidden_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2}
    if family in ("gpt2", "gptj"):
        small = {"model_type": family, "n_embd": 48, "n_head": 4, "n_layer": 2, "rotary_dim": 4}
    sizes = {key: 64, other: 96} if "layer" not in key else {key: 3, other: 4}
    alone = {name: value for name, value in small.items() if name not in sizes}
    both = graphacct.account(saved(tmp_path, **alone, **sizes), seq_len=8).total["params"]
    one = graphacct.account(saved(tmp_path, **alone, **{counts: sizes[counts]}), seq_len=8).total["params"]
    rest = ({key, other} - {counts}).pop()
    assert both == one != graphacct.account(saved(tmp_path, **alone, **{rest: sizes[rest]}), seq_len=8).total["params"]


def test_one_head_of_keys_with_a_norm_of_its_own(tmp_path: Path) -> None:
    """StableLM's norms of each head where there is one: as many tensors as heads, 4 and 1 of 12 each."""
    content = {"model_type": "stablelm", "num_hidden_layers": 1, "num_key_value_heads": 1, "qk_layernorm": True}
    found = graphacct.account(saved(tmp_path, **content, **SMALL, partial_rotary_factor=0.5), seq_len=8)
    norms = [row for row in found.by_parameter if ".norms." in row.parameter.name]
    assert [(row.count, row.parameter.spec.shape) for row in norms] == [(4, (12,)), (1, (12,))]
