"""Meta's and Mistral's params.json as the keys of a config.json.

Meta's gives the width of the feed-forward network as a rule (meta-llama/llama3, llama/model.py: two thirds of four
times the width, times a factor, up to a multiple); Mistral's as a number, with its experts under `moe` (mistralai/
mistral-inference, args.py). The output is a matrix of its own, unless Mistral's says that it is the embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import ReadError, brief

KEYS = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "hidden_dim": "intermediate_size",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "sliding_window": "sliding_window",
    "max_position_embeddings": "max_position_embeddings",
    "max_seq_len": "max_position_embeddings",
    "norm_eps": "rms_norm_eps",
    "rope_theta": "rope_theta",
    "tied_embeddings": "tie_word_embeddings",
}
RULE = ("multiple_of", "ffn_dim_multiplier")
IDLE = ("use_scaled_rope", "max_batch_size", "model_type", "causal", "model_parallel_size", "activation", "yarn")
EXPERTS = {"num_experts": "num_local_experts", "num_experts_per_tok": "num_experts_per_tok"}
LAYOUT = {"expert_parallel", "expert_model_parallel", "route_every_n"}
PARTS = (
    "vision_encoder",
    "whisper_model_args",
    "audio_model",
    "multimodal",
    "q_lora_rank",
    "kv_lora_rank",
    "vision_args",
)
WAY_OUT = "give the config.json of the model's transformers form (its repository on the Hugging Face hub has one)"


def config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keys of a config.json.

    Raises ReadError, which names the key, for parts that are not translated, for a vocabulary that only the tokenizer
    has, and for a width that is neither given nor follows from the others.
    """
    part = next((key for key in PARTS if content.get(key)), None)
    if part is not None or content.get("use_biases"):
        raise ReadError(f"has {part or 'use_biases'}, which is not translated from a params.json\n{WAY_OUT}")
    vocabulary = content.get("vocab_size")
    if vocabulary is None or vocabulary == -1:
        raise ReadError(
            f"vocab_size is {brief(vocabulary)}: the tokenizer has it\nset=vocab_size=32000 is that of Llama 1 and 2"
        )
    said: dict[str, Any] = {"num_key_value_heads": content["n_heads"], "tie_word_embeddings": False}
    for key, value in content.items():
        if key in KEYS and value is not None:
            said[KEYS[key]] = value
        elif key not in (*KEYS, *IDLE, *RULE, "moe"):
            said[key] = value  # nobody knows it, and the report says so
    if "hidden_dim" not in content:
        said["intermediate_size"] = _feed_forward(content)
    moe = content.get("moe")
    if moe:
        said |= _experts(moe)
    kind = "mixtral" if moe else "mistral" if "hidden_dim" in content else "llama"
    window = {} if kind == "llama" else {"sliding_window": _window(content.get("sliding_window"))}
    return {"model_type": kind, **said, **window}


def _feed_forward(content: Mapping[str, Any]) -> int:
    """Returns the inner width by Meta's rule."""
    width, multiple, factor = content["dim"], content.get("multiple_of"), content.get("ffn_dim_multiplier")
    if type(width) is not int or width < 1:
        raise ReadError(f"dim is {brief(width)}, not a width")
    if type(multiple) is not int or multiple < 1:
        raise ReadError(f"has no hidden_dim, and multiple_of, by which it is known, is {brief(multiple)}")
    inner = 8 * width // 3
    if factor is not None:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 < factor < 2**16:
            raise ReadError(f"ffn_dim_multiplier is {brief(factor)}, not a factor")
        inner = int(factor * inner)
    return -(-inner // multiple) * multiple


def _experts(moe: Any) -> Mapping[str, Any]:
    if not isinstance(moe, Mapping):
        raise ReadError(f"moe is {brief(moe)}, not an object with num_experts and num_experts_per_tok")
    strange = next((key for key in moe if key not in EXPERTS and key not in LAYOUT), None)
    missing = next((key for key in EXPERTS if key not in moe), None)
    if missing is not None:
        raise ReadError(f"moe has no {missing}\n{WAY_OUT}")
    if strange is not None:
        raise ReadError(f"moe has {strange}, which is not translated\n{WAY_OUT}")
    return {to: moe[key] for key, to in EXPERTS.items()}


def _window(value: Any) -> Any:
    """Returns the window of all layers."""
    if isinstance(value, list):
        if any(each != value[0] for each in value):
            raise ReadError(f"sliding_window is {brief(value)}: layers that differ are not translated\n{WAY_OUT}")
        return value[0] if value else None
    return value
