"""GGUF's keys of an architecture as those of a family's config.json.

The keys are those of gguf-py's constants.py, and what becomes of each is read from llama.cpp's convert_hf_to_gguf.py.
Widths that a file's tensors show are not taken from its keys alone: every tensor is held to the parameter that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct import DeclinedError, ReadError, brief

HEADS, KV_HEADS, HEAD_DIM = "attention.head_count", "attention.head_count_kv", "attention.key_length"
VALUE_DIM, ROTARY, EXPERTS = "attention.value_length", "rope.dimension_count", "expert_count"
FURTHER = "nextn_predict_layers"
"""Layers that predict further tokens, which `block_count` has too and no class."""
WIDTHS = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    HEADS: "num_attention_heads",
}
COMMON = {
    **WIDTHS,
    KV_HEADS: "num_key_value_heads",
    HEAD_DIM: "head_dim",
    "context_length": "max_position_embeddings",
}
"""Keys of most architectures, and what each is in a config.json."""
WINDOW = {"attention.sliding_window": "sliding_window"}
CAPS = {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}
SPARSE = {"expert_used_count": "num_experts_per_tok", "expert_feed_forward_length": "moe_intermediate_size"}
IDLE = (
    "context_length",
    "vocab_size",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.causal",
    "attention.scale",
    "attention.max_alibi_bias",
    "attention.temperature_scale",
    "attention.temperature_length",
    "expert_gating_func",
    "expert_weights_scale",
    "expert_weights_norm",
    "logit_scale",
    "residual_scale",
    "embedding_scale",
    "pooling_type",
    "tensor_data_layout",
    "use_parallel_residual",
)
"""Keys that change no cost, or that a family's rule below reads."""

Said = Mapping[str, Any]


@attrs.frozen
class File:
    """What a file says: its keys without the architecture in front, and the sizes of its tensors."""

    keys: Said
    tensors: Mapping[str, tuple[int, ...]]

    def has(self, part: str, layer: int = 0) -> bool:
        """Returns whether a layer has a tensor."""
        return f"blk.{layer}.{part}" in self.tensors

    def number(self, key: str, default: int | None = None) -> int:
        """Returns a count. Raises ReadError, which names the key, for what is none."""
        value = self.keys.get(key, default)
        if type(value) is not int or value < 1:
            raise ReadError(f"{key} is {brief(value)}, not a count")
        return value

    def partial(self) -> float:
        """Returns the part of a head that is rotated."""
        width = self.number(HEAD_DIM, self.number("embedding_length") // self.number(HEADS))
        return self.number(ROTARY, width) / width


@attrs.frozen
class Form:
    """An architecture: its family, keys besides the common ones, common ones that the family does not take, and what
    its tensors and other keys say."""

    model_type: str
    keys: Mapping[str, str] = {}
    without: tuple[str, ...] = ()
    more: Callable[[File], Said] = lambda file: {}
    idle: tuple[str, ...] = ()


def _biases(file: File) -> Said:
    return {"attention_bias": file.has("attn_q.bias"), "mlp_bias": file.has("ffn_up.bias")}


def _attention_bias(file: File) -> Said:
    return {"attention_bias": file.has("attn_q.bias")}


def _dense(file: File) -> Said:
    return {"use_sliding_window": False}


def _sparse(file: File) -> Said:
    return {"use_sliding_window": False, "norm_topk_prob": bool(file.keys.get("expert_weights_norm", False))}


def _qwen3_moe(file: File) -> Said:
    # llama.cpp scales the weights of the chosen experts to a sum of 1 in this architecture, whatever its keys
    return {"use_sliding_window": False, "norm_topk_prob": True, "attention_bias": file.has("attn_q.bias")}


def _rotated(name: str) -> Callable[[File], Said]:
    return lambda file: {name: file.partial()}


def _falcon(file: File) -> Said:
    grouped = file.number(KV_HEADS, 1) > 1
    norms = {"num_ln_in_parallel_attn": 2 if file.has("attn_norm_2.weight") else 1} if grouped else {}
    return {
        "new_decoder_architecture": grouped,
        "num_kv_heads": file.number(KV_HEADS, 1),
        "multi_query": True,
        "parallel_attn": True,
        "alibi": False,
        "bias": file.has("attn_qkv.bias"),
        **norms,
    }


def _neox(file: File) -> Said:
    return {
        "rotary_pct": file.partial(),
        "use_parallel_residual": bool(file.keys.get("use_parallel_residual", True)),
        "attention_bias": file.has("attn_qkv.bias"),
    }


def _stablelm(file: File) -> Said:
    return {
        "partial_rotary_factor": file.partial(),
        "use_qkv_bias": file.has("attn_q.bias"),
        "qk_layernorm": file.has("attn_q_norm.weight"),
        "use_parallel_residual": bool(file.keys.get("use_parallel_residual", False)),
    }


def _qwen(file: File) -> Said:
    # the file has each of the two products' width doubled, as the model's own configuration does
    return {"kv_channels": file.number("embedding_length") // file.number(HEADS), "rotary_pct": file.partial()}


def _chatglm(file: File) -> Said:
    groups = file.number(KV_HEADS, file.number(HEADS))
    return {
        "kv_channels": file.keys.get(HEAD_DIM, file.number("embedding_length") // file.number(HEADS)),
        "multi_query_attention": groups < file.number(HEADS),
        "multi_query_group_num": groups,
        "add_qkv_bias": file.has("attn_qkv.bias") or file.has("attn_q.bias"),
        "add_bias_linear": file.has("ffn_up.bias"),
    }


def _latent(file: File) -> Said:
    """The widths of latent attention, in newer files beside those of its cache (`_mla`)."""
    rotary = file.number(ROTARY)
    said: dict[str, Any] = {
        "qk_rope_head_dim": rotary,
        "qk_nope_head_dim": file.number("attention.key_length_mla", file.number(HEAD_DIM)) - rotary,
        "v_head_dim": file.number("attention.value_length_mla", file.number(VALUE_DIM)),
        "q_lora_rank": file.keys.get("attention.q_lora_rank") or None,
        "num_key_value_heads": file.number(HEADS),
    }
    groups = file.keys.get("expert_group_count")
    if file.keys.get("expert_gating_func", 1) == 2:
        more = {"model_type": "deepseek_v3", "norm_topk_prob": bool(file.keys.get("expert_weights_norm", True))}
        return {**said, **more, **({"n_group": groups} if groups else {})}
    limited = {"n_group": groups, "topk_method": "group_limited_greedy"} if groups and groups > 1 else {}
    return {**said, "topk_method": "greedy", **limited}


def _llama(file: File) -> Said:
    if file.keys.get(EXPERTS):
        return {"model_type": "mixtral", "sliding_window": None}
    return _biases(file)


def _mamba(file: File) -> Said:
    return {"expand": file.number("ssm.inner_size") // file.number("embedding_length")}


def _qk_norm(file: File) -> Said:
    return {"use_qk_norm": file.has("attn_q_norm.weight"), "attention_bias": file.has("attn_q.bias")}


def _exaone4(file: File) -> Said:
    if file.keys.get("attention.sliding_window"):
        return {}
    return {"sliding_window": None, "layer_types": ["full_attention"] * file.number("block_count")}


def _mamba2(file: File) -> Said:
    inner, heads = file.number("ssm.inner_size"), file.number("ssm.time_step_rank")
    return {"expand": inner // file.number("embedding_length"), "num_heads": heads, "head_dim": inner // heads}


def _bigcode(file: File) -> Said:
    return {"multi_query": file.number(KV_HEADS, 1) == 1}


def _glm4_moe(file: File) -> Said:
    return {
        "partial_rotary_factor": file.partial(),
        "use_qk_norm": file.has("attn_q_norm.weight"),
        "attention_bias": file.has("attn_q.bias"),
        "norm_topk_prob": bool(file.keys.get("expert_weights_norm", True)),
    }


DERIVED = (HEAD_DIM, VALUE_DIM, ROTARY)
FORMS: Mapping[str, Form] = {
    "llama": Form("llama", {EXPERTS: "num_local_experts", "expert_used_count": "num_experts_per_tok"}, more=_llama),
    "qwen": Form("qwen", without=(KV_HEADS, HEAD_DIM), more=_qwen),
    "qwen2": Form("qwen2", more=_dense),
    "qwen2moe": Form(
        "qwen2_moe",
        {**SPARSE, EXPERTS: "num_experts", "expert_shared_feed_forward_length": "shared_expert_intermediate_size"},
        more=_sparse,
    ),
    "qwen3": Form("qwen3", more=lambda file: {**_dense(file), **_attention_bias(file)}),
    "qwen3moe": Form("qwen3_moe", {**SPARSE, EXPERTS: "num_experts"}, more=_qwen3_moe),
    "qwen2vl": Form("qwen2_vl_text", more=_dense),
    "qwen3vl": Form(
        "qwen3_vl_text",
        more=lambda file: {**_dense(file), **_attention_bias(file)},
        idle=("n_deepstack_layers",),
    ),
    "qwen3vlmoe": Form(
        "qwen3_vl_moe_text", {**SPARSE, EXPERTS: "num_experts"}, more=_qwen3_moe, idle=("n_deepstack_layers",)
    ),
    "gemma": Form("gemma"),
    "gemma2": Form("gemma2", {**WINDOW, **CAPS}),
    "gemma3": Form("gemma3_text", {**WINDOW, **CAPS}),
    "phi2": Form("phi", more=_rotated("partial_rotary_factor")),
    "phi3": Form("phi3", WINDOW, more=_rotated("partial_rotary_factor")),
    "falcon": Form("falcon", {"feed_forward_length": "ffn_hidden_size"}, without=(KV_HEADS, HEAD_DIM), more=_falcon),
    "starcoder2": Form("starcoder2", WINDOW, more=lambda file: {"use_bias": file.has("attn_q.bias")}),
    "gptneox": Form("gpt_neox", without=(KV_HEADS, HEAD_DIM), more=_neox),
    "gpt2": Form("gpt2", {"feed_forward_length": "n_inner"}, without=(KV_HEADS, HEAD_DIM)),
    "gptj": Form(
        "gptj",
        {"feed_forward_length": "n_inner"},
        without=(KV_HEADS, HEAD_DIM),
        more=lambda file: {"rotary_dim": file.number(ROTARY)},
    ),
    "bloom": Form("bloom", {"context_length": "seq_length"}, without=(KV_HEADS, HEAD_DIM, "feed_forward_length")),
    "command-r": Form("cohere", more=_qk_norm),
    "cohere2": Form("cohere2", WINDOW),
    "deepseek2": Form(
        "deepseek_v2",
        {
            **SPARSE,
            EXPERTS: "n_routed_experts",
            "expert_shared_count": "n_shared_experts",
            "leading_dense_block_count": "first_k_dense_replace",
            "attention.kv_lora_rank": "kv_lora_rank",
            "expert_group_used_count": "topk_group",
        },
        without=(KV_HEADS, HEAD_DIM),
        more=_latent,
        idle=("attention.q_lora_rank", "attention.key_length_mla", "attention.value_length_mla", "expert_group_count"),
    ),
    "gpt-oss": Form(
        "gpt_oss",
        {EXPERTS: "num_local_experts", **SPARSE, "expert_feed_forward_length": "intermediate_size", **WINDOW},
        without=("feed_forward_length",),
        more=_attention_bias,
    ),
    "stablelm": Form("stablelm", more=_stablelm),
    "internlm2": Form("internlm2", more=lambda file: {"bias": file.has("attn_q.bias")}),
    "baichuan": Form("baichuan", without=(KV_HEADS, HEAD_DIM)),
    "chatglm": Form(
        "chatglm",
        {"feed_forward_length": "ffn_hidden_size", "context_length": "seq_length"},
        without=(KV_HEADS, HEAD_DIM),
        more=_chatglm,
    ),
    "olmo": Form("olmo"),
    "olmo2": Form("olmo2", more=_attention_bias),
    "olmoe": Form(
        "olmoe", {EXPERTS: "num_experts", "expert_used_count": "num_experts_per_tok"}, idle=("attention.clamp_kqv",)
    ),
    "granite": Form("granite", more=_biases),
    "minicpm": Form("minicpm", more=_biases),
    "nemotron": Form("nemotron", more=lambda file: {**_biases(file), "partial_rotary_factor": file.partial()}),
    "smollm3": Form("smollm3", more=_biases),
    "glm4": Form("glm4", more=lambda file: {**_attention_bias(file), "partial_rotary_factor": file.partial()}),
    "exaone": Form("exaone"),
    "exaone4": Form("exaone4", WINDOW, more=_exaone4),
    "arcee": Form("arcee", more=_biases),
    "granitemoe": Form(
        "granitemoe",
        {EXPERTS: "num_local_experts", "expert_used_count": "num_experts_per_tok"},
        more=_attention_bias,
    ),
    "glm4moe": Form(
        "glm4_moe",
        {
            **SPARSE,
            EXPERTS: "n_routed_experts",
            "expert_shared_count": "n_shared_experts",
            "leading_dense_block_count": "first_k_dense_replace",
            "expert_group_count": "n_group",
            "expert_group_used_count": "topk_group",
        },
        more=_glm4_moe,
    ),
    "hunyuan-dense": Form("hunyuan_v1_dense", more=_attention_bias),
    "minimax-m2": Form(
        "minimax_m2",
        {EXPERTS: "num_local_experts", **SPARSE, "expert_feed_forward_length": "intermediate_size"},
        more=lambda file: {"rotary_dim": file.number(ROTARY)},
    ),
    "starcoder": Form("gpt_bigcode", {"feed_forward_length": "n_inner"}, (KV_HEADS, HEAD_DIM), _bigcode),
    "mamba2": Form(
        "mamba2",
        {"ssm.conv_kernel": "conv_kernel", "ssm.state_size": "state_size", "ssm.group_count": "n_groups"},
        without=(KV_HEADS, HEAD_DIM, HEADS, "feed_forward_length", "context_length"),
        more=_mamba2,
        idle=("ssm.inner_size", "ssm.time_step_rank"),
    ),
    "seed_oss": Form("seed_oss", more=lambda file: {"attention_bias": file.has("attn_q.bias")}),
    "ernie4_5": Form("ernie4_5", more=lambda file: {"use_bias": file.has("attn_q.bias")}),
    "mamba": Form(
        "mamba",
        {"ssm.conv_kernel": "conv_kernel", "ssm.state_size": "state_size", "ssm.time_step_rank": "time_step_rank"},
        without=(KV_HEADS, HEAD_DIM, HEADS, "feed_forward_length", "context_length"),
        more=_mamba,
        idle=("ssm.inner_size", "ssm.dt_b_c_rms"),
    ),
}
"""The architectures, by GGUF's name of each."""


def config(content: Said) -> Said:
    """Returns the keys of a config.json that a file's metadata and tensors describe.

    Raises DeclinedError for an architecture that is none of these, ReadError for a count that is none.
    """
    name = content["general.architecture"]
    if name not in FORMS:
        raise DeclinedError(
            f"no family reads the GGUF architecture {brief(name)}; known: {', '.join(FORMS)}\n"
            "give the config.json of the model's transformers form, with weights=FORMAT"
        )
    form = FORMS[name]
    inside = {key.removeprefix(f"{name}."): value for key, value in content.items() if key.startswith(f"{name}.")}
    further = inside.pop(FURTHER, 0)
    if further:  # their tensors are `places`' to leave out
        inside["block_count"] = File(inside, {}).number("block_count") - further
    file = File({key: _alike(value) for key, value in inside.items()}, content["tensors"])
    taken = {key: to for key, to in {**COMMON, **form.keys}.items() if key not in form.without or key in form.keys}
    said: dict[str, Any] = {"model_type": form.model_type}
    for key, value in file.keys.items():
        if key in taken:
            said[taken[key]] = value
        elif not (key in IDLE or key in DERIVED or key in form.without or key in form.idle or key.startswith("rope.")):
            said[f"{name}.{key}"] = value
    missing = next((key for key in WIDTHS if key in taken and key not in file.keys), None)
    if missing is not None:
        raise ReadError(f"has no {name}.{missing}, the architecture's {WIDTHS[missing]}")
    embedding = file.tensors.get("token_embd.weight", ())
    if len(embedding) != 2:
        raise ReadError("has no tensor 'token_embd.weight' of two dimensions: is it a model's first part?")
    said["vocab_size"] = embedding[1]
    said["tie_word_embeddings"] = "output.weight" not in file.tensors
    width, value_width = file.keys.get(HEAD_DIM), file.keys.get(VALUE_DIM)
    if width != value_width and value_width is not None and form.more is not _latent:
        raise ReadError(f"{name}.{HEAD_DIM} is {brief(width)} and {name}.{VALUE_DIM} {brief(value_width)}: not read")
    said.update(form.more(file))
    if said["model_type"] != "mixtral" and not said.get("num_local_experts", 1):
        said = {key: value for key, value in said.items() if key not in ("num_local_experts", "num_experts_per_tok")}
    return said


def _alike(value: Any) -> Any:
    """Returns the value of a list with one for each layer, if they are the same."""
    return value[0] if isinstance(value, list) and value and all(item == value[0] for item in value) else value
