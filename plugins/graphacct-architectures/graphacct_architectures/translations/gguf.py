"""GGUF's keys of an architecture as those of a family's config.json.

The keys are those of gguf-py's constants.py, and what becomes of each is read from llama.cpp's convert_hf_to_gguf.py.
Widths that a file's tensors show are not taken from its keys alone: every tensor is held to the parameter that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct import DeclinedError, ReadError, brief, frozen, has_value
from graphacct_architectures.translations import gguf_rules as rules
from graphacct_architectures.translations.gguf_rules import (
    EXPERTS,
    HEAD_DIM,
    HEADS,
    KV_HEADS,
    ROTARY,
    VALUE_DIM,
    File,
    Said,
)

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


@frozen
class Form:
    """An architecture: its family, keys besides the common ones, common ones that the family does not take, and what
    its tensors and other keys say."""

    model_type: str
    keys: Mapping[str, str] = {}
    without: tuple[str, ...] = ()
    more: Callable[[File], Said] = lambda file: {}
    idle: tuple[str, ...] = ()


DERIVED = (HEAD_DIM, VALUE_DIM, ROTARY)
FORMS: Mapping[str, Form] = {
    "llama": Form(
        "llama", {EXPERTS: "num_local_experts", "expert_used_count": "num_experts_per_tok"}, more=rules.llama
    ),
    "qwen": Form("qwen", without=(KV_HEADS, HEAD_DIM), more=rules.qwen),
    "qwen2": Form("qwen2", more=rules.dense),
    "qwen2moe": Form(
        "qwen2_moe",
        {**SPARSE, EXPERTS: "num_experts", "expert_shared_feed_forward_length": "shared_expert_intermediate_size"},
        more=rules.sparse,
    ),
    "qwen3": Form("qwen3", more=lambda file: {**rules.dense(file), **rules.attention_bias(file)}),
    "qwen3moe": Form("qwen3_moe", {**SPARSE, EXPERTS: "num_experts"}, more=rules.qwen3_moe),
    "qwen2vl": Form("qwen2_vl_text", more=rules.dense),
    "qwen3vl": Form(
        "qwen3_vl_text",
        more=lambda file: {**rules.dense(file), **rules.attention_bias(file)},
        idle=("n_deepstack_layers",),
    ),
    "qwen3vlmoe": Form(
        "qwen3_vl_moe_text", {**SPARSE, EXPERTS: "num_experts"}, more=rules.qwen3_moe, idle=("n_deepstack_layers",)
    ),
    "gemma": Form("gemma"),
    "gemma2": Form("gemma2", {**WINDOW, **CAPS}),
    "gemma3": Form("gemma3_text", {**WINDOW, **CAPS}),
    "phi2": Form("phi", more=rules.rotated("partial_rotary_factor")),
    "phi3": Form("phi3", WINDOW, more=rules.rotated("partial_rotary_factor")),
    "falcon": Form(
        "falcon", {"feed_forward_length": "ffn_hidden_size"}, without=(KV_HEADS, HEAD_DIM), more=rules.falcon
    ),
    "starcoder2": Form("starcoder2", WINDOW, more=lambda file: {"use_bias": file.has("attn_q.bias")}),
    "gptneox": Form("gpt_neox", without=(KV_HEADS, HEAD_DIM), more=rules.neox),
    "gpt2": Form("gpt2", {"feed_forward_length": "n_inner"}, without=(KV_HEADS, HEAD_DIM)),
    "gptj": Form(
        "gptj",
        {"feed_forward_length": "n_inner"},
        without=(KV_HEADS, HEAD_DIM),
        more=lambda file: {"rotary_dim": file.number(ROTARY)},
    ),
    "bloom": Form("bloom", {"context_length": "seq_length"}, without=(KV_HEADS, HEAD_DIM, "feed_forward_length")),
    "command-r": Form("cohere", more=rules.qk_norm),
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
        more=rules.latent,
        idle=("attention.q_lora_rank", "attention.key_length_mla", "attention.value_length_mla", "expert_group_count"),
    ),
    "gpt-oss": Form(
        "gpt_oss",
        {EXPERTS: "num_local_experts", **SPARSE, "expert_feed_forward_length": "intermediate_size", **WINDOW},
        without=("feed_forward_length",),
        more=rules.attention_bias,
    ),
    "stablelm": Form("stablelm", more=rules.stablelm),
    "internlm2": Form("internlm2", more=lambda file: {"bias": file.has("attn_q.bias")}),
    "baichuan": Form("baichuan", without=(KV_HEADS, HEAD_DIM)),
    "chatglm": Form(
        "chatglm",
        {"feed_forward_length": "ffn_hidden_size", "context_length": "seq_length"},
        without=(KV_HEADS, HEAD_DIM),
        more=rules.chatglm,
    ),
    "olmo": Form("olmo"),
    "olmo2": Form("olmo2", more=rules.attention_bias),
    "olmoe": Form(
        "olmoe", {EXPERTS: "num_experts", "expert_used_count": "num_experts_per_tok"}, idle=("attention.clamp_kqv",)
    ),
    "granite": Form("granite", more=rules.biases),
    "minicpm": Form("minicpm", more=rules.biases),
    "nemotron": Form("nemotron", more=lambda file: {**rules.biases(file), "partial_rotary_factor": file.partial()}),
    "smollm3": Form("smollm3", more=rules.biases),
    "glm4": Form("glm4", more=lambda file: {**rules.attention_bias(file), "partial_rotary_factor": file.partial()}),
    "exaone": Form("exaone"),
    "exaone4": Form("exaone4", WINDOW, more=rules.exaone4),
    "arcee": Form("arcee", more=rules.biases),
    "granitemoe": Form(
        "granitemoe",
        {EXPERTS: "num_local_experts", "expert_used_count": "num_experts_per_tok"},
        more=rules.attention_bias,
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
        more=rules.glm4_moe,
    ),
    "hunyuan-dense": Form("hunyuan_v1_dense", more=rules.attention_bias),
    "minimax-m2": Form(
        "minimax_m2",
        {EXPERTS: "num_local_experts", **SPARSE, "expert_feed_forward_length": "intermediate_size"},
        more=lambda file: {"rotary_dim": file.number(ROTARY)},
    ),
    "starcoder": Form("gpt_bigcode", {"feed_forward_length": "n_inner"}, (KV_HEADS, HEAD_DIM), rules.bigcode),
    "mamba2": Form(
        "mamba2",
        {"ssm.conv_kernel": "conv_kernel", "ssm.state_size": "state_size", "ssm.group_count": "n_groups"},
        without=(KV_HEADS, HEAD_DIM, HEADS, "feed_forward_length", "context_length"),
        more=rules.mamba2,
        idle=("ssm.inner_size", "ssm.time_step_rank"),
    ),
    "seed_oss": Form("seed_oss", more=lambda file: {"attention_bias": file.has("attn_q.bias")}),
    "ernie4_5": Form("ernie4_5", more=lambda file: {"use_bias": file.has("attn_q.bias")}),
    "mamba": Form(
        "mamba",
        {"ssm.conv_kernel": "conv_kernel", "ssm.state_size": "state_size", "ssm.time_step_rank": "time_step_rank"},
        without=(KV_HEADS, HEAD_DIM, HEADS, "feed_forward_length", "context_length"),
        more=rules.mamba,
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
    if type(further) is not int:
        raise ReadError(f"{name}.{FURTHER} is {brief(further)}, not a count")
    if further:  # their tensors are `places`' to leave out
        inside["block_count"] = (
            File({"block_count": _alike(inside.get("block_count"))}, {}).number("block_count") - further
        )
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
    _check_sizes(name, file, embedding[1])
    width, value_width = file.keys.get(HEAD_DIM), file.keys.get(VALUE_DIM)
    if width != value_width and value_width is not None and form.more is not rules.latent:
        raise ReadError(f"{name}.{HEAD_DIM} is {brief(width)} and {name}.{VALUE_DIM} {brief(value_width)}: not read")
    said.update(form.more(file))
    if said["model_type"] != "mixtral" and not said.get("num_local_experts", 1):
        said = {key: value for key, value in said.items() if key not in ("num_local_experts", "num_experts_per_tok")}
    return said


def _check_sizes(name: str, file: File, vocabulary: int) -> None:
    """Raises ReadError for sizes that no key of the family is, and that are none or contradict the tensors."""
    heads, width = file.keys.get(HEADS), file.keys["embedding_length"]
    counts = has_value(heads) and heads > 0 and has_value(width)
    widest = file.keys.get(HEAD_DIM, width // heads if counts else None)
    for key in DERIVED:
        for each in _several(file.keys[key]) if key in file.keys else ():
            if type(each) is not int or each < 1:
                raise ReadError(f"{name}.{key} is {brief(file.keys[key])}, not a count")
            if key == ROTARY and has_value(widest) and each > widest:
                raise ReadError(f"{name}.{key} is {each:,}, and a head is {widest:,} wide")
    said = file.keys.get("vocab_size", vocabulary)
    if said != vocabulary or isinstance(said, bool):
        raise ReadError(f"{name}.vocab_size is {brief(said)}, and token_embd.weight has {vocabulary:,} rows")
    if file.keys.get(EXPERTS) and "expert_used_count" not in file.keys:
        raise ReadError(f"has no {name}.expert_used_count, and {name}.{EXPERTS} {brief(file.keys[EXPERTS])}")


def _several(value: Any) -> list[Any]:
    """Returns a value as those of the layers; of an empty list the list itself, which is no count."""
    return value if isinstance(value, list) and value else [value]


def _alike(value: Any) -> Any:
    """Returns the value of a list with one for each layer, if they are the same."""
    return value[0] if isinstance(value, list) and value and all(item == value[0] for item in value) else value
