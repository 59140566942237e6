"""What the keys and tensors of a GGUF file say of single families, beyond what one key says by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct import ReadError, brief, frozen

HEADS, KV_HEADS, HEAD_DIM = "attention.head_count", "attention.head_count_kv", "attention.key_length"
VALUE_DIM, ROTARY, EXPERTS = "attention.value_length", "rope.dimension_count", "expert_count"
Said = Mapping[str, Any]


@frozen
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


def biases(file: File) -> Said:
    return {"attention_bias": file.has("attn_q.bias"), "mlp_bias": file.has("ffn_up.bias")}


def attention_bias(file: File) -> Said:
    return {"attention_bias": file.has("attn_q.bias")}


def dense(file: File) -> Said:
    return {"use_sliding_window": False}


def sparse(file: File) -> Said:
    return {"use_sliding_window": False, "norm_topk_prob": bool(file.keys.get("expert_weights_norm", False))}


def qwen3_moe(file: File) -> Said:
    # llama.cpp scales the weights of the chosen experts to a sum of 1 in this architecture, whatever its keys
    return {"use_sliding_window": False, "norm_topk_prob": True, "attention_bias": file.has("attn_q.bias")}


def rotated(name: str) -> Callable[[File], Said]:
    return lambda file: {name: file.partial()}


def falcon(file: File) -> Said:
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


def neox(file: File) -> Said:
    return {
        "rotary_pct": file.partial(),
        "use_parallel_residual": bool(file.keys.get("use_parallel_residual", True)),
        "attention_bias": file.has("attn_qkv.bias"),
    }


def stablelm(file: File) -> Said:
    return {
        "partial_rotary_factor": file.partial(),
        "use_qkv_bias": file.has("attn_q.bias"),
        "qk_layernorm": file.has("attn_q_norm.weight"),
        "use_parallel_residual": bool(file.keys.get("use_parallel_residual", False)),
    }


def qwen(file: File) -> Said:
    # the file has each of the two products' width doubled, as the model's own configuration does
    return {"kv_channels": file.number("embedding_length") // file.number(HEADS), "rotary_pct": file.partial()}


def chatglm(file: File) -> Said:
    groups = file.number(KV_HEADS, file.number(HEADS))
    return {
        "kv_channels": file.keys.get(HEAD_DIM, file.number("embedding_length") // file.number(HEADS)),
        "multi_query_attention": groups < file.number(HEADS),
        "multi_query_group_num": groups,
        "add_qkv_bias": file.has("attn_qkv.bias") or file.has("attn_q.bias"),
        "add_bias_linear": file.has("ffn_up.bias"),
    }


def latent(file: File) -> Said:
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


def llama(file: File) -> Said:
    if file.keys.get(EXPERTS):
        return {"model_type": "mixtral", "sliding_window": None}
    return biases(file)


def mamba(file: File) -> Said:
    return {"expand": file.number("ssm.inner_size") // file.number("embedding_length")}


def qk_norm(file: File) -> Said:
    return {"use_qk_norm": file.has("attn_q_norm.weight"), "attention_bias": file.has("attn_q.bias")}


def exaone4(file: File) -> Said:
    if file.keys.get("attention.sliding_window"):
        return {}
    return {"sliding_window": None, "layer_types": ["full_attention"] * file.number("block_count")}


def mamba2(file: File) -> Said:
    inner, heads = file.number("ssm.inner_size"), file.number("ssm.time_step_rank")
    return {"expand": inner // file.number("embedding_length"), "num_heads": heads, "head_dim": inner // heads}


def bigcode(file: File) -> Said:
    return {"multi_query": file.number(KV_HEADS, 1) == 1}


def glm4_moe(file: File) -> Said:
    return {
        "partial_rotary_factor": file.partial(),
        "use_qk_norm": file.has("attn_q_norm.weight"),
        "attention_bias": file.has("attn_q.bias"),
        "norm_topk_prob": bool(file.keys.get("expert_weights_norm", True)),
    }
