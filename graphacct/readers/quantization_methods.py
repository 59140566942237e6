"""The methods of quantization that config.json files name, one function each: their settings as a WeightPlan.

A setting that says how many bytes there are is read or refused. The matrices that a method leaves out unless told
otherwise are those that its library leaves out: the head, embeddings, routers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.errors import ConfigError, brief
from graphacct.graph.weight_format import WeightFormat
from graphacct.models.matrices import EMBEDDINGS, LAYERS, OTHERS, ROUTERS
from graphacct.models.module_patterns import REGEX
from graphacct.models.weight_plan import WeightPlan
from graphacct.readers.compressed_tensors import cache_of, compressed_tensors, fp8_blocks, mixed, without_input_scale
from graphacct.readers.quantization_settings import Found, Method, Said

IGNORED = frozenset(["quant_method", "version", "_comment", "dequantize", "producer"])
"""Settings of any method that say nothing of bytes."""
HEAD = "lm_head"
EXPERTS = "experts"
"""The module of all routed experts of a layer."""
MLX = ("bits", "group_size", "mode")
"""MLX's settings, of all modules and of one."""
SIGNS = re.compile(r"[\\(|+^$]")
"""What makes a name in transformers' lists a regular expression."""
BOUNDARY = r"(?:(?<=\.)|(?=\.|$))"
"""What follows a regular expression of these lists: the end of a part (quantizers_utils.py, should_convert_module)."""


def _plan(
    said: Said, format_: WeightFormat, skip: str, modules: tuple[tuple[str, WeightFormat | None], ...] = ()
) -> WeightPlan:
    """Returns the plan of methods that convert every linear module but those that the setting `skip` lists, or, if
    there is no list, every one but the head (transformers, quantizers/base.py, get_modules_to_not_convert)."""
    listed = said.settings.get(skip) is not None
    names = tuple(f"{REGEX}(?:{name}){BOUNDARY}" if SIGNS.search(name) else name for name in said.names(skip))
    return WeightPlan(format_, modules, names, (LAYERS, OTHERS) if listed else (LAYERS,))


def fp8(said: Said) -> Found:
    """DeepSeek's blocks (transformers, FineGrainedFP8Config): 128 x 128 unless told, null for one scale a matrix.

    Experts may have 4 bits, with a scale for each 32 inputs (integrations/finegrained_fp8.py, FP8Experts);
    DeepSeek-V4's file says so outside these settings.
    """
    said.must("fmt", "e4m3", "float8_e4m3fn", "e5m2")
    said.must("activation_scheme", "dynamic", "static")
    said.must("scale_fmt", "float", "ue8m0")
    said.must("expert_dtype", "fp8", "fp4")
    by_matrix = "ignored_layers" in said.settings  # written by AutoFP8, which has a scale for each matrix alone
    sides = said.settings.get("weight_block_size", None if by_matrix else (128, 128))
    static = said.settings.get("activation_scheme") == "static"
    if sides is None:
        found = said.format("fp8", static=static)
    else:
        found = fp8_blocks(said, "weight_block_size", sides, static=static)
    if said.settings.get("scale_fmt") == "ue8m0":  # a power of two in a byte
        scales = [attrs.evolve(item, bytes=1) if "weight_scale" in item.name else item for item in found.tensors]
        found = attrs.evolve(found, tensors=tuple(scales), name=f"{found.name}:scale=ue8m0")
    skip = "ignored_layers" if said.settings.get("modules_to_not_convert") is None else "modules_to_not_convert"
    if (said.settings.get("expert_dtype") or said.content.get("expert_dtype")) != "fp4":
        return Found(_plan(said, found, skip))
    experts = attrs.evolve(said.format("mxfp4"), experts_alone=False)
    if said.settings.get("scale_fmt") != "ue8m0":
        blocks, by_group = experts.tensors
        experts = attrs.evolve(experts, name="mxfp4:scale=float32", tensors=(blocks, attrs.evolve(by_group, bytes=4)))
    return Found(attrs.evolve(_plan(said, found, skip, ((EXPERTS, experts),)), text=mixed([found.name, experts.name])))


def fbgemm_fp8(said: Said) -> Found:
    """A float32 scale for each output (transformers, integrations/fbgemm_fp8.py, FbgemmFp8Linear)."""
    return Found(_plan(said, said.format("fp8", channel=True), "modules_to_not_convert"))


def gptq(said: Said) -> Found:
    """GPTQ: the linear modules of layers; `dynamic` overrides some by patterns, `-:` leaves them (GPTQModel)."""
    said.must("checkpoint_format", "gptq", "gptq_v2")
    said.must("format", "gptq", "gptq_v2")
    said.must("pack_dtype", "int32")
    said.must("method", "gptq")
    if said.settings.get("bits") is None:
        raise ConfigError("bits must be given: GPTQ has no default")
    bits, group = said.integer("bits", 4), said.integer("group_size", 128)
    found = said.format("gptq", bits=bits, group=group)
    modules: list[tuple[str, WeightFormat | None]] = []
    dynamic = said.settings.get("dynamic") or {}
    if not isinstance(dynamic, Mapping):
        raise ConfigError(f"dynamic is {brief(dynamic)}, not an object of patterns")
    for pattern, own in dynamic.items():
        text = f"re:{pattern.removeprefix('+:').removeprefix('-:')}"
        own = own if isinstance(own, Mapping) else {}
        given = {"bits": said.integer("bits", bits, own), "group": said.integer("group_size", group, own)}
        modules.append((text, None if pattern.startswith("-:") else said.format("gptq", **given)))
    if said.flag("lm_head"):
        modules.append((HEAD, found))
    own_names = {item.name for _, item in modules if item is not None and item.name != found.name}
    text = mixed([found.name, *sorted(own_names)])
    inside = said.settings.get("modules_in_block_to_quantize")
    if inside:
        names = [name for group in inside for name in ([group] if isinstance(group, str) else group)]
        return Found(WeightPlan(None, (*modules, *((name, found) for name in names)), text=text))
    return Found(WeightPlan(found, tuple(modules), said.names("modules_to_not_convert"), text=text))


def awq(said: Said) -> Found:
    """AWQ: the linear modules of layers, in AutoAWQ's layout; the head always stays (quantizer_awq.py)."""
    said.must("version", "gemm", "GEMM", "exllama", "ipex")
    for layout in ("format", "checkpoint_format"):
        said.must(layout, "gemm", "GEMM")
    said.must("pack_dtype", "int32")
    said.must("method", "awq")
    said.must("lm_head", False)
    bits = said.integer("bits", said.integer("w_bit", 4))
    group = said.integer("group_size", said.integer("q_group_size", 128))
    found = said.format("awq", bits=bits, group=group)
    return Found(WeightPlan(found, (), said.names("modules_to_not_convert")))


def bitsandbytes(said: Said) -> Found:
    """4 bits (fp4 unless told) or LLM.int8 (transformers, BitsAndBytesConfig)."""
    four, eight = (said.flag(key, said.flag(f"_{key}")) for key in ("load_in_4bit", "load_in_8bit"))
    if four and eight:
        raise ConfigError("load_in_4bit and load_in_8bit are both true, and exclude each other")
    if four:
        said.must("bnb_4bit_quant_type", "nf4", "fp4")
        found = said.format(
            str(said.settings.get("bnb_4bit_quant_type") or "fp4"),
            double=said.flag("bnb_4bit_use_double_quant"),
            block=said.integer("bnb_4bit_blocksize", 64),
        )
    elif eight:
        if said.flag("llm_int8_has_fp16_weight"):
            return Found(None)
        found = said.format("int8")
    else:
        return Found(None)
    return Found(_plan(said, found, "llm_int8_skip_modules"))


def mxfp4(said: Said) -> Found:
    """gpt-oss: the experts alone (transformers, integrations/mxfp4.py)."""
    return Found(WeightPlan(said.format("mxfp4"), (), said.names("modules_to_not_convert")))


def modelopt(said: Said) -> Found:
    """TensorRT Model Optimizer (modelopt/torch/export/quant_utils.py): one algorithm for all modules but the excluded
    ones, or `MIXED_PRECISION` with one for each quantized module."""
    cache = said.settings.get("kv_cache_quant_algo", said.settings.get("kv_cache_scheme"))
    kv_dtype = cache_of(cache, "kv_cache_quant_algo")
    algorithm = said.settings.get("quant_algo")
    groups = said.settings.get("config_groups")
    several = isinstance(groups, Mapping) and len(groups) > 1 and algorithm != "MIXED_PRECISION"
    if several or (algorithm is None and groups is not None):
        wide = attrs.evolve(said, content={**said.content, "dtype": "float32"})  # modelopt's scales
        return attrs.evolve(compressed_tensors(wide), kv_dtype=kv_dtype)
    skip = said.names("exclude_modules") + said.names("ignore")
    if algorithm is None:
        return Found(None, kv_dtype)
    if algorithm != "MIXED_PRECISION":
        found = _algorithm(said, algorithm, said.settings)
        return Found(WeightPlan(found, (), skip, (LAYERS, OTHERS)), kv_dtype)
    layers = said.settings.get("quantized_layers")
    if not isinstance(layers, Mapping) or not all(isinstance(own, Mapping) for own in layers.values()):
        raise ConfigError(f"quantized_layers is {brief(layers)}, not an object of modules")
    modules = tuple((name, _algorithm(said, own.get("quant_algo"), own)) for name, own in layers.items())
    names = sorted({found.name for _, found in modules})
    return Found(WeightPlan(None, modules, skip, text=mixed(names)), kv_dtype)


def _algorithm(said: Said, algorithm: Any, settings: Mapping[str, Any]) -> WeightFormat:
    """Returns the format of one of modelopt's algorithms."""
    name = str(algorithm).upper()
    if name == "FP8":
        return said.format("fp8", static=True)
    if name == "FP8_PER_CHANNEL_PER_TOKEN":
        return said.format("fp8", channel=True)
    if name == "NVFP4":
        return said.format("nvfp4", group=said.integer("group_size", 16, settings))
    if name == "W4A16_NVFP4":
        return without_input_scale(said.format("nvfp4", group=said.integer("group_size", 16, settings)))
    if name == "MXFP8":
        return said.format("mxfp8")
    known = "FP8, FP8_PER_CHANNEL_PER_TOKEN, NVFP4, W4A16_NVFP4, MXFP8, MIXED_PRECISION"
    raise ConfigError(f"quant_algo is {brief(algorithm)}, which is not known; known: {known}")


def mlx(said: Said) -> Found:
    """MLX (mlx.nn.quantize): every linear module and table, and modules with settings of their own or false. Those
    whose rows are no whole groups stay as they are (mlx_lm/utils.py, quantize_model)."""
    whole = _mlx(said, said.settings)
    modules = tuple(
        (name, None if own is False else _mlx(said, {**said.settings, **_of_a_module(name, own)}))
        for name, own in said.settings.items()
        if own is False or isinstance(own, Mapping)
    )
    # in mlx-lm the router of DeepSeek's kind of experts is an array, no module
    arrays = ("mlp.gate",) if said.content.get("n_routed_experts") is not None else ()
    names = sorted({found.name for _, found in modules if found is not None and found.name != whole.name})
    kinds = (LAYERS, OTHERS, ROUTERS, EMBEDDINGS)
    return Found(WeightPlan(whole, modules, arrays, kinds, mixed([whole.name, *names]), fitting=True))


def _of_a_module(name: str, own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the settings of one module. Raises ConfigError for one that is not known."""
    strange = next((key for key in own if key not in MLX), None)
    if strange is not None and own[strange] not in (None, False):
        raise ConfigError(f"{name} has the setting {brief(strange)}, which is not known; known: {', '.join(MLX)}")
    return own


def _mlx(said: Said, settings: Mapping[str, Any]) -> WeightFormat:
    mode = settings.get("mode", "affine")
    if mode == "affine":
        return said.format(
            "mlx", bits=said.integer("bits", 4, settings), group=said.integer("group_size", 64, settings)
        )
    if mode in ("mxfp4", "mxfp8"):
        return attrs.evolve(said.format(mode), experts_alone=False)
    if mode == "nvfp4":  # no scale of the whole matrix
        found = said.format("nvfp4")
        tensors = tuple(tensor for tensor in found.tensors if tensor.name in ("weight", "weight_scale"))
        return attrs.evolve(found, name="mlx:nvfp4", tensors=tensors)
    raise ConfigError(f"mode is {brief(mode)}, which is not known; known: affine, mxfp4, mxfp8, nvfp4")


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


METHODS: Mapping[str, Method] = {
    "fp8": Method(
        fp8,
        _keys("weight_block_size modules_to_not_convert ignored_layers activation_scheme fmt scale_fmt expert_dtype"),
        _keys("modules_to_convert"),
    ),
    "fbgemm_fp8": Method(fbgemm_fp8, _keys("modules_to_not_convert"), _keys("activation_scale_ub")),
    "gptq": Method(
        gptq,
        _keys(
            "bits group_size lm_head dynamic checkpoint_format format method pack_dtype modules_in_block_to_quantize "
            "modules_to_not_convert"
        ),
        _keys(
            "desc_act sym damp_percent damp_auto_increment static_groups true_sequential model_name_or_path "
            "model_file_base_name is_marlin_format model_seqlen block_name_to_quantize dataset tokenizer batch_size "
            "module_name_preceding_first_block pad_token_id use_cuda_fp16 use_exllama exllama_config disable_exllama "
            "max_input_length cache_block_outputs backend meta hyb_act act_group_aware quantizer uniform mse v2 "
            "awq_gemm_checkpoint pack_impl offload_to_disk v2_alpha failsafe fallback mock_quantization gptaq foem"
        ),
        ("desc_act", "damp_percent"),
    ),
    "awq": Method(
        awq,
        _keys(
            "bits w_bit group_size q_group_size version format checkpoint_format pack_dtype method lm_head "
            "modules_to_not_convert"
        ),
        _keys(
            "zero_point do_fuse fuse_max_seq_len modules_to_fuse backend exllama_config sym desc_act pack_method "
            "true_sequential quantizer meta"
        ),
        ("w_bit", "q_group_size", "zero_point"),
    ),
    "bitsandbytes": Method(
        bitsandbytes,
        _keys(
            "load_in_4bit _load_in_4bit load_in_8bit _load_in_8bit bnb_4bit_quant_type bnb_4bit_use_double_quant "
            "bnb_4bit_blocksize llm_int8_skip_modules llm_int8_has_fp16_weight"
        ),
        _keys("bnb_4bit_compute_dtype bnb_4bit_quant_storage llm_int8_threshold llm_int8_enable_fp32_cpu_offload"),
        ("load_in_4bit", "load_in_8bit", "_load_in_4bit", "_load_in_8bit"),
    ),
    "mxfp4": Method(mxfp4, _keys("modules_to_not_convert")),
    "modelopt": Method(
        modelopt,
        _keys(
            "quant_algo kv_cache_quant_algo kv_cache_scheme exclude_modules ignore quantized_layers group_size "
            "config_groups"
        ),
        _keys("has_zero_point pre_quant_scale"),
        ("quant_algo", "kv_cache_quant_algo"),
    ),
    "compressed-tensors": Method(
        compressed_tensors,
        _keys("config_groups ignore format kv_cache_scheme sparsity_config"),
        _keys("quantization_status global_compression_ratio transform_config run_compressed use_optimized_inference"),
        ("config_groups",),
    ),
    "mlx": Method(mlx, frozenset(MLX), marks=("bits", "group_size"), modules=True),
}
"""The methods by the names that files give them, those without a name by their marks, in this order."""
