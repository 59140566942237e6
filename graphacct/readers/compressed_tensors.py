"""compressed-tensors' settings as a WeightPlan, and what modelopt's have in common with them: schemes of groups of
modules, the scales of inputs, the dtype of a cache."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import ConfigError, brief
from graphacct.graph.weight_format import StoredTensor, WeightFormat
from graphacct.models.matrices import EMBEDDINGS, LAYERS, OTHERS
from graphacct.models.module_patterns import REGEX
from graphacct.models.weight_plan import WeightPlan
from graphacct.readers.quantization_settings import Found, Said
from graphacct.tensors import dtype_name

FLOAT_8 = ("", "float-quantized", "naive-quantized")
"""compressed-tensors' formats of 8-bit floats; one that is not said, or is the group's own, is empty here."""
ORDERED = (True, "group", "dynamic")
"""The orders of inputs that compressed-tensors stores (quant_args.py, ActivationOrdering)."""
UNORDERED = (None, False, "weight", "static")
"""Those that it does not store."""
CACHES = {"fp8": "float8_e4m3fn", "fp8_e4m3": "float8_e4m3fn", "fp8_e5m2": "float8_e5m2", "int8": "int8"}
"""The dtypes of a cache, by the names that files give them."""


def mixed(names: Sequence[str]) -> str:
    """Returns how reports show formats: the one, or all."""
    return names[0] if len(names) == 1 else f"mixed: {', '.join(names)}"


def fp8_blocks(said: Said, key: str, sides: Any, **options: Any) -> WeightFormat:
    """Returns fp8 with a scale for each block of so many outputs and inputs. Older files write `128x128`."""
    if isinstance(sides, str) and re.fullmatch(r"[0-9]{1,9}x[0-9]{1,9}", sides):
        sides = [int(side) for side in sides.split("x")]
    if not isinstance(sides, (list, tuple)) or len(sides) != 2 or not all(type(side) is int for side in sides):
        raise ConfigError(f"{key} is {brief(sides)}, not two numbers")
    rows, columns = sides
    if min(rows, columns) < 1:
        raise ConfigError(f"{key} is {brief(sides)}, not two positive numbers")
    found = said.format("fp8", block=columns, **options)
    if rows == columns:
        return found
    tensors = [attrs.evolve(item, rows=rows) if "scale_inv" in item.name else item for item in found.tensors]
    name = found.name.replace(f"block={columns}", f"block={rows}x{columns}")
    return attrs.evolve(found, name=name, tensors=tuple(tensors))


def compressed_tensors(said: Said) -> Found:
    """compressed-tensors (quantization/quant_config.py, quant_scheme.py): groups of modules with a scheme each."""
    sparsity = said.settings.get("sparsity_config") or {}
    if not isinstance(sparsity, Mapping) or sparsity.get("format", "dense") != "dense":
        raise ConfigError(f"sparsity_config {brief(sparsity)} is not known: dense weights are")
    groups = said.settings.get("config_groups")
    if not isinstance(groups, Mapping):
        raise ConfigError(f"config_groups is {brief(groups)}, not an object of groups")
    whole: WeightFormat | None = None
    kinds: tuple[str, ...] = (LAYERS, OTHERS)
    modules: list[tuple[str, WeightFormat | None]] = []
    names: list[str] = []
    for name, group in groups.items():
        if not isinstance(group, Mapping):
            raise ConfigError(f"config_groups.{name} is {brief(group)}, not an object")
        if group.get("weights") is None:
            continue
        found = _scheme(said, f"config_groups.{name}", group)
        names += [found.name] if found.name not in names else []
        targets = group.get("targets") or ["Linear"]
        for target in targets if isinstance(targets, (list, tuple)) else [targets]:
            if target == "Linear":
                whole = found
            elif target == "Embedding":
                kinds = (*kinds, EMBEDDINGS)
            elif not isinstance(target, str) or (target[:1].isupper() and "." not in target):
                raise ConfigError(f"config_groups.{name} has the target {brief(target)}, a class that is not known")
            else:
                modules.append((target, found))
    if not names:
        return Found(None, cache_of(said.settings.get("kv_cache_scheme"), "kv_cache_scheme"))
    modules.sort(key=lambda pair: (pair[0].startswith(REGEX), pair[0]))  # the order in which the library tries them
    plan = WeightPlan(whole, tuple(modules), said.names("ignore"), kinds, mixed(names))
    return Found(plan, cache_of(said.settings.get("kv_cache_scheme"), "kv_cache_scheme"))


def _scheme(said: Said, where: str, group: Mapping[str, Any]) -> WeightFormat:
    """Returns the format of a group's weights."""
    args, inputs = group["weights"], group.get("input_activations")
    if not isinstance(args, Mapping):
        raise ConfigError(f"{where}.weights is {brief(args)}, not an object")
    bits, kind, size = said.integer("num_bits", 8, args), args.get("type", "int"), said.integer("group_size", 0, args)
    strategy = args.get("strategy") or ("group" if size > 0 else "channel" if size == -1 else "tensor")
    stored = str(group.get("format") or said.settings.get("format") or "").replace("_", "-")
    stored = "" if stored == "mixed-precision" else stored
    scale = dtype_name(str(args["scale_dtype"]).removeprefix("torch.")) if args.get("scale_dtype") else said.dtype
    if inputs is not None and not isinstance(inputs, Mapping):
        raise ConfigError(f"{where}.input_activations is {brief(inputs)}, not an object")
    static = inputs is not None and inputs.get("dynamic") != "local" and not said.flag("dynamic", True, inputs)
    unknown = f"{where}.weights: {bits} bits of {kind}, strategy {strategy}, format {stored or None} is not known"
    symmetric = said.flag("symmetric", True, args)
    scheme = (kind, bits)
    if scheme == ("float", 8) and strategy in ("tensor", "channel", "block") and stored in FLOAT_8:
        if strategy == "block":
            found = fp8_blocks(said, f"{where}.weights.block_structure", args.get("block_structure"), scale=scale)
        else:
            found = said.format("fp8", channel=strategy == "channel", scale=scale)
        return _with_input_scale(found, scale, inputs) if static else found
    if scheme == ("float", 4) and size == 16 and stored in ("", "nvfp4-pack-quantized"):
        found = said.format("nvfp4")
        return found if isinstance(inputs, Mapping) else without_input_scale(found)
    if scheme == ("float", 4) and size == 32 and stored in ("", "mxfp4-pack-quantized"):
        return attrs.evolve(said.format("mxfp4"), experts_alone=False)
    if scheme == ("float", 8) and size == 32 and stored == "mxfp8-quantized":
        return said.format("mxfp8")
    if kind == "int" and stored == "pack-quantized" and strategy in ("group", "channel"):
        found = said.format("packed", bits=bits, group=size if strategy == "group" else -1, zero=not symmetric)
        if args.get("actorder") not in (*ORDERED, *UNORDERED):
            raise ConfigError(f"{where}.weights: actorder is {brief(args['actorder'])}, which is not known")
        if args.get("actorder") in ORDERED:
            order = StoredTensor("weight_g_idx", 4, rows=0)
            return attrs.evolve(found, name=f"{found.name}:order", tensors=(*found.tensors, order))
        return found
    if scheme == ("int", 8) and strategy in ("tensor", "channel") and symmetric and stored in ("", "int-quantized"):
        found = said.format("int8", scale=scale)
        if strategy == "tensor":
            tensors = [attrs.evolve(item, rows=0) if item.name == "SCB" else item for item in found.tensors]
            found = attrs.evolve(found, name=f"{found.name}:tensor", tensors=tuple(tensors))
        return _with_input_scale(found, scale, inputs) if static else found
    raise ConfigError(unknown)


def _with_input_scale(found: WeightFormat, scale: str, inputs: Any) -> WeightFormat:
    """Returns a format with one scale of the inputs for each matrix, in the dtype of the other scales, and a zero point
    in 8 bits unless they are symmetric."""
    size = 4 if scale == "float32" else 2
    zeros = (StoredTensor("input_zero_point", 1, 0, 0),) if inputs.get("symmetric") is False else ()
    tensors = (*found.tensors, StoredTensor("input_scale", size, 0, 0), *zeros)
    return attrs.evolve(found, name=f"{found.name}:static{':zero' if zeros else ''}", tensors=tensors)


def without_input_scale(found: WeightFormat) -> WeightFormat:
    """Returns a format whose inputs are not quantized."""
    tensors = tuple(tensor for tensor in found.tensors if tensor.name != "input_scale")
    return attrs.evolve(found, name=f"{found.name}:w4a16", tensors=tensors)


def cache_of(said: Any, key: str) -> str:
    """Returns the dtype of the cache. Raises ConfigError for one that is not known."""
    if said is None or said == "auto":
        return ""
    if isinstance(said, Mapping):
        bits, kind = said.get("num_bits", 8), said.get("type", "int")
        said = "fp8" if (bits, kind) == (8, "float") else "int8" if (bits, kind) == (8, "int") else said
    found = CACHES.get(said.lower()) if isinstance(said, str) else None
    if found is None:
        raise ConfigError(f"{key} is {brief(said)}, which is not known; known: FP8, INT8")
    return found
