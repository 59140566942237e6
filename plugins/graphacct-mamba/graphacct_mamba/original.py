"""The config.json of state-spaces/mamba, and Mistral's params.json of a Mamba, in the keys of transformers' file.

The keys are those of MambaConfig (state-spaces/mamba, mamba_ssm/models/config_mamba.py); `ssm_cfg` has the arguments of
its layer, Mamba or Mamba2. The vocabulary is rounded up to `pad_vocab_size_multiple`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import ReadError, brief, has_value

WAY_OUT = "give the config.json of the model's transformers form (its repository on the Hugging Face hub has one)"
IDLE = ("rms_norm", "residual_in_fp32", "fused_add_norm", "attn_cfg", "model_type", "norm_epsilon")
LAYER = {
    "d_state": "state_size",
    "d_conv": "conv_kernel",
    "expand": "expand",
    "headdim": "head_dim",
    "ngroups": "n_groups",
    "chunk_size": "chunk_size",
    "dt_rank": "time_step_rank",
    "bias": "use_bias",
    "conv_bias": "use_conv_bias",
}
NUMBERS = ("dt_min", "dt_max", "dt_scale", "dt_init", "dt_init_floor", "use_fast_path", "A_init_range", "dt_limit")


def config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keys of a config.json. Raises ReadError, which names the key, for layers that are not Mamba's."""
    for key, nothing in (("attn_layer_idx", []), ("d_intermediate", 0)):
        if content.get(key) is not None and (content[key] != nothing or isinstance(content[key], bool)):
            raise ReadError(
                f"{key} is {brief(content[key])}, which is not translated: layers besides Mamba's\n{WAY_OUT}"
            )
    if content.get("rms_norm", True) is not True:  # the library has a LayerNorm then, with a bias
        raise ReadError(f"rms_norm is {brief(content['rms_norm'])}, which is not translated: it is true\n{WAY_OUT}")
    if not isinstance(content.get("tie_embeddings", True), bool):
        raise ReadError(f"tie_embeddings is {brief(content['tie_embeddings'])}, not true or false")
    layer = content.get("ssm_cfg") or {}
    if not isinstance(layer, Mapping):
        raise ReadError(f"ssm_cfg is {brief(layer)}, not an object with the arguments of a layer")
    kind = layer.get("layer", "Mamba2" if "dim" in content else "Mamba1")
    if kind not in ("Mamba1", "Mamba2"):
        raise ReadError(f"ssm_cfg has layer {brief(kind)}: Mamba1 and Mamba2 are known")
    width: Any = content.get("d_model", content.get("dim"))
    vocabulary: Any
    multiple: Any
    vocabulary, multiple = content.get("vocab_size"), content.get("pad_vocab_size_multiple", 8)
    if not all(has_value(each) and each > 0 for each in (width, vocabulary, multiple)):
        raise ReadError(
            f"d_model, vocab_size and pad_vocab_size_multiple are {brief(width)}, {brief(vocabulary)} and "
            f"{brief(multiple)}, not sizes"
        )
    said = {
        "model_type": "mamba" if kind == "Mamba1" else "mamba2",
        "hidden_size": width,
        "num_hidden_layers": content.get("n_layer", content.get("n_layers")),
        "vocab_size": -(-vocabulary // multiple) * multiple,
        "tie_word_embeddings": content.get("tie_embeddings", True),
        "residual_in_fp32": content.get("residual_in_fp32", True),
    }
    known = {"d_model", "dim", "n_layer", "n_layers", "vocab_size", "tie_embeddings", "pad_vocab_size_multiple"}
    known |= {"ssm_cfg", "attn_layer_idx", "d_intermediate", "n_groups", *IDLE}
    said |= {key: value for key, value in content.items() if key not in known}
    for key, value in layer.items():
        if key in LAYER:
            said[LAYER[key]] = value
        elif key != "layer" and key not in NUMBERS:
            said[f"ssm_cfg.{key}"] = value
    if kind == "Mamba2":
        said.setdefault("state_size", 128)
        said.setdefault("head_dim", 64)
        said.setdefault("n_groups", content.get("n_groups", 1))
        expand, head = said.get("expand", 2), said["head_dim"]
        for key, size in (("expand", expand), ("headdim", head)):
            if type(size) is not int or size < 1:
                raise ReadError(f"{key} is {brief(size)}, not a size")
        said["num_heads"] = expand * width // head
    return said
