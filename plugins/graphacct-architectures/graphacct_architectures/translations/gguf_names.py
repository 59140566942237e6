"""Which parameters the tensors of a GGUF file are: the names of gguf-py's tensor_mapping.py as those of these families.

A tensor has one name for all architectures, and a parameter another in each family: all of them are tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

LAYERS = (
    "model.layers",
    "transformer.h",
    "gpt_neox.layers",
    "backbone.layers",
    "transformer.encoder.layers",
    "model.language_model.layers",
)
"""The stacks of layers."""
WHOLE = {
    "token_embd": (
        "model.embed_tokens",
        "transformer.wte",
        "transformer.word_embeddings",
        "gpt_neox.embed_in",
        "model.tok_embeddings",
        "backbone.embeddings",
        "transformer.embedding.word_embeddings",
    ),
    "token_embd_norm": ("transformer.word_embeddings_layernorm",),
    "position_embd": ("transformer.wpe",),
    "output_norm": (
        "model.norm",
        "model.final_layernorm",
        "transformer.ln_f",
        "gpt_neox.final_layer_norm",
        "backbone.norm_f",
        "transformer.encoder.final_layernorm",
    ),
    "output": ("lm_head", "embed_out", "output", "transformer.output_layer"),
}
"""Tensors outside the layers, without `.weight` and `.bias`."""
ANGLES = re.compile(r"(rope_freqs|rope_factors_(long|short)|(blk\.\d+\.)?(rope_freqs|attn_rot_embd))\.weight")
"""Tables of angles and factors, which are no parameters."""
EXPERTS_UP, EXPERTS_DOWN = "mlp.experts.gate_up_proj", "mlp.experts.down_proj"
GRANITE_UP, GRANITE_DOWN = "block_sparse_moe.experts.gate_up_proj", "block_sparse_moe.experts.down_proj"
WITHIN = {
    "attn_norm": ("input_layernorm", "ln_1", "ln_mlp", "attention_norm", "norm"),
    "attn_norm_2": ("ln_attn",),
    "attn_q": (
        "self_attn.q_proj",
        "attn.q_proj",
        "attention.wqkv",
        "self_attn.W_pack",
        "self_attn.qkv_proj",
        "self_attention.query_key_value",
    ),
    "attn_k": (
        "self_attn.k_proj",
        "attn.k_proj",
        "attention.wqkv",
        "self_attn.W_pack",
        "self_attn.qkv_proj",
        "self_attention.query_key_value",
    ),
    "attn_v": (
        "self_attn.v_proj",
        "attn.v_proj",
        "attention.wqkv",
        "self_attn.W_pack",
        "self_attn.qkv_proj",
        "self_attention.query_key_value",
    ),
    "attn_qkv": (
        "self_attn.qkv_proj",
        "attn.c_attn",
        "self_attention.query_key_value",
        "attention.query_key_value",
        "self_attn.q_proj+self_attn.k_proj+self_attn.v_proj",
    ),
    "attn_output": (
        "self_attn.o_proj",
        "self_attn.dense",
        "attn.c_proj",
        "attn.out_proj",
        "self_attention.dense",
        "attention.dense",
        "attention.wo",
    ),
    "attn_q_norm": (
        "self_attn.q_norm",
        "self_attn.query_layernorm",
        "self_attn.q_layernorm",
        "self_attn.q_layernorm.norms.*",
    ),
    "attn_k_norm": (
        "self_attn.k_norm",
        "self_attn.key_layernorm",
        "self_attn.k_layernorm",
        "self_attn.k_layernorm.norms.*",
    ),
    "attn_q_a": ("self_attn.q_a_proj",),
    "attn_q_b": ("self_attn.q_b_proj",),
    "attn_q_a_norm": ("self_attn.q_a_layernorm",),
    "attn_kv_a_mqa": ("self_attn.kv_a_proj_with_mqa",),
    "attn_kv_a_norm": ("self_attn.kv_a_layernorm",),
    "attn_kv_b": ("self_attn.kv_b_proj",),
    "attn_k_b": ("self_attn.kv_b_proj",),
    "attn_v_b": ("self_attn.kv_b_proj",),
    "post_attention_norm": ("post_self_attn_layernorm", "post_attention_layernorm"),
    "ffn_norm": ("pre_feedforward_layernorm", "post_attention_layernorm", "ln_2", "ffn_norm"),
    "post_ffw_norm": ("post_feedforward_layernorm", "post_mlp_layernorm"),
    "ffn_gate": ("mlp.gate_proj", "mlp.w2", "feed_forward.w1"),
    "ffn_up": (
        "mlp.up_proj",
        "mlp.gate_up_proj",
        "mlp.c_fc",
        "mlp.fc1",
        "mlp.fc_in",
        "mlp.dense_h_to_4h",
        "mlp.w1",
        "feed_forward.w3",
    ),
    "ffn_down": (
        "mlp.down_proj",
        "mlp.c_proj",
        "mlp.fc2",
        "mlp.fc_out",
        "mlp.dense_4h_to_h",
        "feed_forward.w2",
    ),
    "ffn_gate_inp": ("mlp.gate", "mlp.router", "block_sparse_moe.gate", "block_sparse_moe.router"),
    "ffn_gate_inp_shexp": ("mlp.shared_expert_gate",),
    "ffn_gate_shexp": ("mlp.shared_expert.gate_proj", "mlp.shared_experts.gate_proj"),
    "ffn_up_shexp": ("mlp.shared_expert.up_proj", "mlp.shared_experts.up_proj"),
    "ffn_down_shexp": ("mlp.shared_expert.down_proj", "mlp.shared_experts.down_proj"),
    "ssm_in": ("mixer.in_proj",),
    "ssm_conv1d": ("mixer.conv1d",),
    "ssm_x": ("mixer.x_proj",),
    "ssm_dt": ("mixer.dt_proj",),
    "ssm_norm": ("mixer.norm",),
    "ssm_out": ("mixer.out_proj",),
}
"""Tensors of a layer, without `.weight` and `.bias`."""
EXACT = {
    "attn_sinks.weight": ("self_attn.sinks",),
    "ssm_a": ("mixer.A_log",),
    "ssm_d": ("mixer.D",),
    "exp_probs_b.bias": ("mlp.gate.e_score_correction_bias", "mlp.e_score_correction_bias", ""),
    "ssm_dt.bias": ("mixer.dt_proj.bias", "mixer.dt_bias"),
    "ffn_gate_exps.weight": (EXPERTS_UP, GRANITE_UP),
    "ffn_up_exps.weight": (EXPERTS_UP, GRANITE_UP),
    "ffn_gate_up_exps.weight": (EXPERTS_UP, GRANITE_UP),
    "ffn_down_exps.weight": (EXPERTS_DOWN, GRANITE_DOWN),
    "ffn_gate_exps.bias": (f"{EXPERTS_UP}_bias",),
    "ffn_up_exps.bias": (f"{EXPERTS_UP}_bias",),
    "ffn_down_exps.bias": (f"{EXPERTS_DOWN}_bias",),
}
"""Tensors of a layer whose parameters have no `.weight`; the experts' gate and other inputs are one parameter."""
EXPERT = re.compile(r"ffn_(gate|up|down)\.\d+\.weight")
"""An expert by itself, as older files have them."""


def places(content: Mapping[str, Any], name: str) -> Sequence[str]:
    """Returns the names of the parameters that a tensor may be."""
    sizes = content["tensors"][name]
    if ANGLES.fullmatch(name):
        return ("",)
    layer = re.fullmatch(r"blk\.(\d+)\.(.+)", name)
    if layer is None:
        stem, _, suffix = name.rpartition(".")
        return [f"{place}.{suffix}" for place in WHOLE.get(stem, ())]
    index, part = layer.groups()
    if int(index) >= _layers(content):
        return ("",)
    expert = EXPERT.fullmatch(part)
    if expert is not None:
        part = f"ffn_{expert[1]}_exps.weight"
    inner = EXACT.get(part)
    if inner is None:
        stem, _, suffix = part.rpartition(".")
        rows = sizes[1] if len(sizes) > 1 else 1
        parts = [_written_out(place, rows) for place in WITHIN.get(stem, ())]
        inner = tuple(f"{place.replace('+', f'.{suffix}+')}.{suffix}" for place in parts)
    return [_at(f"{stack}.{index}", place) for stack in LAYERS for place in inner]


def _layers(content: Mapping[str, Any]) -> int:
    """Returns how many layers a model has without those that predict further tokens."""
    name = content["general.architecture"]
    layers = content[f"{name}.block_count"]  # `config` has seen that they are counts
    further: int = content.get(f"{name}.nextn_predict_layers", 0) or 0
    return (layers[0] if isinstance(layers, list) else layers) - further


def _written_out(place: str, rows: int) -> str:
    """Returns a place with one parameter for each row of the tensor, if it has a `*`."""
    return "+".join(place.replace("*", str(row)) for row in range(rows)) if "*" in place else place


def _at(layer: str, place: str) -> str:
    return "+".join(f"{layer}.{part}" for part in place.split("+")) if place else ""
