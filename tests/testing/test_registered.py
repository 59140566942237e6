"""Everything that the project's own plugins register keeps the contract of its kind; operators do in their plugins."""

from __future__ import annotations

import json
from typing import Any

import networkx
import pytest
from gguf_files import written
from runnable import runnable

from graphacct import Builder, Graph, build
from graphacct.hooks.manager import default
from graphacct.hooks.registry import Plugin
from graphacct.phases import TRAIN
from graphacct.readers.graph_json import to_json
from graphacct.testing import (
    ArchitectureContract,
    CommandContract,
    ConventionContract,
    DeviceContract,
    Matrix,
    OptimizerContract,
    OutputContract,
    ProfileContract,
    QuantityContract,
    ReaderContract,
    RecomputePolicyContract,
    Totals,
    TransformContract,
    TranslationContract,
    Update,
    WeightFormatContract,
)
from graphacct.testing.contract import failures
from graphacct.testing.made_up import contract_of_hooks

PLUGINS = default()
SMALL = {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 64, "n_positions": 1024}
OWN_READERS = [name for name, of in PLUGINS.readers.plugins.items() if of.origin.partition(" ")[0] == "graphacct"]
"""graphacct-torch's has a test there."""
ELSEWHERE = "the goldens and the published figures of each plugin's tests"

FULL = ("blip-2",)
"""Families with learned positions, of which the default length takes all."""
SIZES: dict[str, dict[str, Any]] = {
    # not trained as they are: their layers are frozen
    "deepseek_ocr2": {"text_config.mlp_layer_types": ["dense"] * 2, "text_config.num_hidden_layers": 2},
    "deepseek_ocr2_text": {"mlp_layer_types": ["dense"] * 2, "num_hidden_layers": 2},
    "idefics": {"freeze_text_layers": False, "freeze_vision_layers": False, "num_hidden_layers": 2},
    # short texts are one window, and longer ones than the class has positions for would be needed to be several
    "longformer": {"attention_window": 4},
    # layers that differ do not fold: a few of each kind say the same in a fraction of the time
    "afmoe": {"num_hidden_layers": 5},
    "autoencoder-kl-qwen-image": {"num_res_blocks": 1},
    "autoencoder-kl-wan": {"num_res_blocks": 1},
    "controlnet": {"layers_per_block": 1},
    "d_fine": {"decoder_layers": 2},
    "dac": {"downsampling_ratios": [2, 4], "upsampling_ratios": [4, 2]},
    "deimv2": {"decoder_layers": 2},
    "emu3": {"vq_config.num_res_blocks": 1},
    "exaone4_5_vision": {"depth": 4, "fullatt_block_indexes": [1, 3]},
    "exaone_moe": {"num_hidden_layers": 5},
    "gemma3_text": {"num_hidden_layers": 7},
    "gemma4_text": {"num_hidden_layers": 6},
    "gemma4_unified_text": {"num_hidden_layers": 6},
    "janus": {"vq_config.num_res_blocks": 1},
    "kolibri1": {"num_hidden_layers": 6},
    "levit": {"depths": [2, 2, 2]},
    "lfm2_moe": {"num_hidden_layers": 4, "layer_types": ["conv", "conv", "full_attention", "conv"]},
    "llama4": {"text_config.num_hidden_layers": 4},
    "llama4_text": {"num_hidden_layers": 4},
    "qwen2_5_vl": {"vision_config.depth": 4, "vision_config.fullatt_block_indexes": [1, 3]},
    "qwen2_5_vl_vision": {"depth": 4, "fullatt_block_indexes": [1, 3]},
    "sam": {"vision_config.num_hidden_layers": 3},
    "sam_hq": {"vision_config.num_hidden_layers": 3},
    "sam3_tracker": {"vision_config.backbone_config": {"num_hidden_layers": 2}},
    "sam3_vision_model": {"backbone_config": {"num_hidden_layers": 2}},
    "sam3_vit_model": {"num_hidden_layers": 2, "global_attn_indexes": [1]},
    "shieldgemma2": {"text_config.num_hidden_layers": 7},
    "switch_transformers": {
        "num_layers": 4,
        "num_sparse_encoder_layers": 2,
        "num_decoder_layers": 4,
        "num_sparse_decoder_layers": 2,
    },
    "unet-2d": {"layers_per_block": 1},
    "unet-2d-condition": {"layers_per_block": 1},
    "vits": {
        "prior_encoder_num_wavenet_layers": 2,
        "posterior_encoder_num_wavenet_layers": 2,
        "prior_encoder_num_flows": 2,
        "duration_predictor_num_flows": 2,
    },
    "bailing_hybrid": {"num_hidden_layers": 6},
    "conditional_detr": {"encoder_layers": 2, "decoder_layers": 2},
    "dab-detr": {"encoder_layers": 2, "decoder_layers": 2},
    "deepseek_v4": {"num_hidden_layers": 4},
    "deformable_detr": {"encoder_layers": 2, "decoder_layers": 2},
    "funnel": {"block_sizes": [1, 1, 1], "block_repeats": [1, 1, 1]},
    "exaone4_5": {
        "text_config.num_hidden_layers": 4,
        "vision_config.depth": 4,
        "vision_config.fullatt_block_indexes": [1, 3],
    },
    "gemma3": {"text_config.num_hidden_layers": 6},
    "gemma3n": {"text_config.num_hidden_layers": 10, "text_config.num_kv_shared_layers": 5},
    "granite4_vision": {"text_config.num_hidden_layers": 4},
    "grounding-dino": {"encoder_layers": 1, "decoder_layers": 1},
    "iquestloopcoder": {"num_hidden_layers": 2},
    "kimi_linear": {"num_hidden_layers": 4},
    "mask2former": {"encoder_layers": 2, "decoder_layers": 3},
    "mimo_v2": {"num_hidden_layers": 4, "hybrid_layer_pattern": [0, 1, 1, 1], "moe_layer_freq": [0, 1, 1, 1]},
    "mimo_v2_flash": {"num_hidden_layers": 4, "hybrid_layer_pattern": [0, 1, 1, 1], "moe_layer_freq": [0, 1, 1, 1]},
    "minicpmv4_6": {"text_config.num_hidden_layers": 4},
    "mm-grounding-dino": {"encoder_layers": 1, "decoder_layers": 1},
    "nemotron_h": {"num_hidden_layers": 6, "hybrid_override_pattern": "M-M*ME"},
    "pegasus_x": {"encoder_layers": 2, "decoder_layers": 2},
    "plamo3": {"num_hidden_layers": 8},
    "rt_detr": {"encoder_layers": 1, "decoder_layers": 2},
    "rt_detr_v2": {"encoder_layers": 1, "decoder_layers": 2},
    "sam3": {"vision_config.backbone_config": {"num_hidden_layers": 2}, "detr_decoder_config.num_layers": 2},
    "swin2sr": {"depths": [2, 2], "num_heads": [2, 2]},
    "zamba": {"num_hidden_layers": 6},
    "zamba2": {"num_hidden_layers": 3, "layer_types": ["mamba", "hybrid", "mamba"]},
    "gemma3n_text": {"num_hidden_layers": 10, "num_kv_shared_layers": 5},
    "hrm_text": {"num_hidden_layers": 2},
    "hy_v4": {"num_hidden_layers": 4},
    "flint": {"num_hidden_layers": 4},
    "olmo_hybrid": {"num_hidden_layers": 4},
    "qwen3_5_text": {"num_hidden_layers": 4},
    "qwen3_5": {"text_config.num_hidden_layers": 4},
    "qwen3_5_moe": {"text_config.num_hidden_layers": 4},
    "qwen3_5_moe_text": {"num_hidden_layers": 4},
    "qwen3_next": {"num_hidden_layers": 4},
    "canine": {"max_position_embeddings": 256},
}
"""Sizes in place of the first preset's, or of the class's defaults."""
DECODER_OR_PAIR = ("blip", "blip-2", "instructblip", "instructblipvideo")
"""Families whose text model is a decoder alone unless a file names one with an encoder."""


def small(**options: Any) -> Totals:
    return Totals("gpt2", {"seq_len": 16, "set": SMALL, **options})


def of_phase(phase: str) -> Totals:
    return small(phase=phase) if phase else small()


def contract_of_reader(name: str) -> dict[str, Any]:
    """The files and objects of a reader; one that is added here needs a line."""
    config = {"model_type": "gpt2", **SMALL}
    graph = networkx.DiGraph()
    graph.add_node("x", shape=(8, 16))
    graph.add_node("y", operator="relu", shape=(8, 16))
    graph.add_edge("x", "y")
    saved = to_json(build("gpt2", seq_len=16, set=SMALL))
    return {
        "adapter-config": {
            "rows": [Totals("adapter_config.json")],
            "files": {
                "adapter_config.json": json.dumps({"base_model_name_or_path": "gpt2", "target_modules": ["c_fc"]})
            },
        },
        "config-json": {
            "rows": [Totals("config.json"), Totals(config)],
            "files": {"config.json": json.dumps(config)},
            "also_accepts": [{"a": 1}, {}],
        },
        "gguf": {"rows": [Totals("tiny.gguf")], "files": {"tiny.gguf": written(GGUF, GGUF_TENSORS)}},
        "graph-json": {"rows": [Totals("net.json")], "files": {"net.json": saved}},
        "networkx": {"rows": [Totals(graph)]},
    }[name]


@pytest.mark.parametrize("name", PLUGINS.architectures)
def test_architecture(name: str) -> None:
    """The first preset of each family, in every phase, with symbols, folded and written out."""
    architecture = PLUGINS.architectures[name].load()
    composed = {"images", "audios"} & {*architecture.sizes}
    own = runnable(name)
    sizes = {**own.get("set", {}), **SIZES.get(name, {})}
    rows = [Totals(next(iter(architecture.presets), name), {**own, "set": sizes})]
    lengths = {}
    if composed and architecture.presets:  # a sequence has at least the placeholders of its images and sounds
        least = architecture.sizes["seq_len"](architecture.preset(next(iter(architecture.presets))))
        lengths["seq_len"] = (least, 2 * least + 1) if name not in FULL else (least - 1, least)
    if name in DECODER_OR_PAIR:  # a class of one text has no encoder whose length is another one
        lengths["encoder_seq_len"] = (None, None)
    if name in ("open_clip", "canine", "cogvideox", "diffusion-pipeline"):
        # every text has all its positions; windows of characters are written out
        lengths["seq_len"] = (None, None)
    if name == "funnel":  # shorter texts leave its last block nothing to pool
        lengths["seq_len"] = (8, 17)
    contract = ArchitectureContract.of(architecture, rows=rows, costs_in=ELSEWHERE, lengths=lengths)
    assert [*failures(contract)] == []


@pytest.mark.parametrize("name", PLUGINS.conventions)
def test_convention(name: str) -> None:
    contract = ConventionContract.of(name, rows=[small(), small(attention="eager")], costs_in=ELSEWHERE)
    assert [*failures(contract)] == []


@pytest.mark.parametrize("name", PLUGINS.quantities)
def test_quantity(name: str) -> None:
    phase = PLUGINS.quantities[name].phase.partition(" ")[0]
    assert [*failures(QuantityContract.of(name, rows=[of_phase(phase)], costs_in=ELSEWHERE))] == []


@pytest.mark.parametrize("name", PLUGINS.profiles)
def test_profile(name: str) -> None:
    assert [*failures(ProfileContract.of(name, rows=[of_phase(TRAIN)], costs_in=ELSEWHERE))] == []


@pytest.mark.parametrize("name", PLUGINS.transforms)
def test_transform(name: str) -> None:
    needed = {"lora": {"adapters": ("4:*.c_attn",)}, "ia3": {"modules": ("c_attn",)}}
    needed["sentence"] = {"modules": ("normalize",)}
    contract = TransformContract.of(name, rows=[small()], given=needed.get(name, {}), costs_in=ELSEWHERE)
    assert [*failures(contract)] == []


GGUF = {
    "general.architecture": "llama",
    "llama.block_count": 1,
    "llama.embedding_length": 32,
    "llama.feed_forward_length": 32,
    "llama.attention.head_count": 1,
    "llama.context_length": 16,
}
LAYER = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
GGUF_TENSORS = {
    "token_embd.weight": ([32, 8], "q8_0"),
    **{f"blk.0.{name}.weight": ([32, 32], "q4_0") for name in LAYER},
    **{f"{name}.weight": ([32], "f32") for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")},
}

MATRIX = 128 * 256
BYTES = {
    "bf16": lambda elements: 2 * elements,
    "fp32": lambda elements: 4 * elements,
    "q4_0": lambda elements: elements // 32 * 18,
    "q8_0": lambda elements: elements // 32 * 34,
    "q4_k": lambda elements: elements // 256 * 144,
    "int8": lambda elements: elements + 4 * 128,
    "mxfp4": lambda elements: elements // 32 * 17,
    "nvfp4": lambda elements: elements // 2 + elements // 16 + 4 + 4,
    "nf4": lambda elements: elements // 2 + 4 * elements // 64 + 4 * 16,
}
"""The bytes of a matrix of 128 × 256, where a line says them."""
STATES = {
    "adamw": {"state_bytes": 2 * 4 * MATRIX, "vector_flops": 14 * MATRIX, "transcendentals": MATRIX},
    "sgd-momentum": {"state_bytes": 4 * MATRIX, "vector_flops": 4 * MATRIX},
    "sgd": {"state_bytes": 0, "vector_flops": 2 * MATRIX},
    # two codes of a byte for each element, two float32 for each 2,048
    "adamw-8bit": {"state_bytes": 2 * MATRIX + 2 * 4 * MATRIX // 2048, "vector_flops": 20 * MATRIX},
    "adafactor": {"state_bytes": 4 * (128 + 256), "vector_flops": 10 * MATRIX, "transcendentals": 128 + 256},
    # five steps of A = X Xᵀ, B = b A + c A A, X = a X + B X
    "muon": {"state_bytes": 4 * MATRIX, "matmul_flops": 5 * (4 * 128 * MATRIX + 2 * 128**3)},
}
"""What each keeps and does for a matrix of 128 × 256."""


@pytest.mark.parametrize("name", PLUGINS.optimizers)
def test_optimizer(name: str) -> None:
    rows = [Update((128, 256), **STATES[name]), Update((2, 3, 4))]
    few = "a tensor of 4,096 elements or more has codes of a byte in place of float32" if name == "adamw-8bit" else ""
    assert [*failures(OptimizerContract.of(name, rows=rows, may_fall=few))] == []


@pytest.mark.parametrize("name", PLUGINS.recompute_policies)
def test_recompute_policy(name: str) -> None:
    assert [*failures(RecomputePolicyContract.of(name, rows=[of_phase(TRAIN)], costs_in=ELSEWHERE))] == []


@pytest.mark.parametrize("name", PLUGINS.weight_formats)
def test_weight_format(name: str) -> None:
    """Stated bytes are in the tests of the formats; here a matrix of whole blocks of each."""
    stated = {"bytes": BYTES[name](MATRIX)} if name in BYTES else {}
    found = [*failures(WeightFormatContract.of(name, rows=[Matrix(128, 256, **stated)]))]
    assert [item for item in found if stated or item[0] != "test_rows_state_the_figures"] == []


@pytest.mark.parametrize("name", PLUGINS.devices)
def test_device(name: str) -> None:
    assert [*failures(DeviceContract.of(name))] == []


@pytest.mark.parametrize("name", PLUGINS.translations)
def test_translation(name: str) -> None:
    assert [*failures(TranslationContract.of(name))] == []


@pytest.mark.parametrize("name", PLUGINS.outputs)
def test_output(name: str) -> None:
    """Binary formats show no name of a scope."""
    shown = () if name in ("png", "pdf") else ("fc",)
    contract = OutputContract.of(name, rows=[Totals(net())], contains=shown, costs_in=ELSEWHERE)
    assert [*failures(contract)] == []


def net() -> Graph:
    b = Builder("net")
    x = b.apply("linear", b.input("x", (4, 3)), b.parameter("fc.weight", (5, 3)), name="fc")
    return b.graph(b.apply("relu", x, name="act"))


@pytest.mark.parametrize("plugin", PLUGINS.loaded, ids=[plugin.name for plugin in PLUGINS.loaded])
def test_hooks_of_nodes(plugin: Plugin) -> None:
    """What a plugin does beside registering, on two models."""
    contract = contract_of_hooks(plugin, PLUGINS)
    assert contract is None or [*failures(contract)] == []


@pytest.mark.parametrize("name", PLUGINS.commands)
def test_command(name: str) -> None:
    """What each prints is in tests/cli."""
    found = [*failures(CommandContract.of(name))]
    assert [item for item in found if item[0] != "test_runs_print_what_they_should"] == []


@pytest.mark.parametrize("name", OWN_READERS)
def test_reader(name: str) -> None:
    assert [*failures(ReaderContract.of(name, costs_in=ELSEWHERE, **contract_of_reader(name)))] == []
