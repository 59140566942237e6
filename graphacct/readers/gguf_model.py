"""A GGUF file as a model: its metadata in the keys of a config.json, and its tensors as the model's weights.

What an architecture's keys mean, and which parameters its tensors are, is said by a translation of a plugin's. A file
in several parts has its metadata in the first, and each part the header of its own tensors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import DeclinedError, GraphacctError, ReadError, brief
from graphacct.graph.weight_format import StoredTensor, WeightFormat
from graphacct.models.find import NO_OVERRIDES, ModelChoice
from graphacct.models.tensor_plan import FileTensor, TensorPlan
from graphacct.models.translation import translated
from graphacct.readers.ggml_types import FILE_TYPES, GgmlType
from graphacct.readers.gguf import MAGIC, GgufHeader, GgufTensor, header

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins

ENDING = ".gguf"
PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)
MOST_PARTS = 10_000
ARCHITECTURE, KIND, FILE_TYPE = "general.architecture", "general.type", "general.file_type"
DTYPES = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16"}
"""Types that are dtypes of a computation too."""
OTHER_KINDS = {
    "adapter": "an adapter, not a model: give the base model, with the adapter as lora=RANK:GLOB",
    "mmproj": "the image or audio tower of a larger model, whose text model is another GGUF file: give that one, or "
    "the whole model's config.json",
    "imatrix": "an importance matrix, not a model: give the model that it was made for",
    "vocab": "a vocabulary without a model",
}
"""What `general.type` says of a file that is no model."""


def accepts(model: Any) -> bool:
    """Returns whether a path is a GGUF file, or a folder with one GGUF model and no config.json."""
    if not isinstance(model, str):
        return False
    if os.path.isdir(model):
        return not os.path.isfile(os.path.join(model, "config.json")) and _in_folder(model) != ""
    if model.endswith(ENDING) or not os.path.isfile(model):
        return os.path.isfile(model)
    with open(model, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def choose(model: str, plugins: Plugins, overrides: Mapping[str, Any] = NO_OVERRIDES) -> ModelChoice:
    """Returns the model in a GGUF file, in the first of several parts, or alone in a folder. `overrides` replace keys
    of the config.json that its metadata translate to.

    Raises ReadError, which names the file, for one that is not GGUF, is no model, or is of an architecture that no
    plugin translates.
    """
    from graphacct.readers.hf import choose as of_keys

    path = _in_folder(model) if os.path.isdir(model) else model
    whole = _whole(path)
    try:
        content = {**whole.metadata, "tensors": {name: item.sizes for name, item in whole.tensors.items()}}
        kind = whole.metadata.get(KIND, "model")
        if isinstance(kind, str) and kind in OTHER_KINDS:
            raise ReadError(f"is {OTHER_KINDS[kind]}")
        architecture = whole.metadata.get(ARCHITECTURE)
        if not isinstance(architecture, str):
            raise ReadError(f"{ARCHITECTURE} is {brief(architecture)}, not the name of an architecture")
        found = translated(content, plugins.translations)
        if found is None:
            raise ReadError(
                f"no translation reads the GGUF architecture {architecture!r}{plugins.note_of_left_out()}\n"
                "give the config.json of the model's transformers form, with weights=FORMAT"
            )
        translation, keys = found
        dtype, text = _dtype(whole.tensors), _text(whole)
        choice = of_keys({"dtype": dtype, **keys}, plugins, overrides)
    except DeclinedError as error:
        raise ReadError(f"{path}: {error}") from error
    except GraphacctError as error:
        raise type(error)(f"{path}: {str(error).removeprefix('the configuration: ')}") from error
    tensors = {name: _tensor(tensor) for name, tensor in whole.tensors.items()}
    plan = TensorPlan(tensors, partial(translation.places, content), text)
    left_out = dict(choice.keys.left_out)
    if whole.missing:
        left_out["data"] = (
            f"the file holds {whole.data_bytes - whole.missing:,} of its {whole.data_bytes:,} bytes of data"
        )
    name = os.path.basename(path).removesuffix(ENDING)
    part = PART.fullmatch(os.path.basename(path))
    return attrs.evolve(
        choice,
        name=part["stem"] if part else name,
        path=path,
        weights=plan,
        keys=attrs.evolve(choice.keys, left_out=left_out),
    )


def _in_folder(folder: str) -> str:
    """Returns the one GGUF model in a folder, in its first part; empty if there is none or more than one."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(ENDING))
    except OSError:
        return ""
    models = [name for name in names if not (part := PART.fullmatch(name)) or int(part["number"]) == 1]
    return os.path.join(folder, models[0]) if len(models) == 1 else ""


def _whole(path: str) -> GgufHeader:
    """Returns the header of a file, with the tensors of all its parts. Raises ReadError for a part that is missing."""
    first = header(path)
    count = first.metadata.get("split.count", 1)
    if not first.metadata.get("split.count"):
        return first
    if type(count) is not int or not 1 <= count <= MOST_PARTS:
        raise ReadError(f"{path}: split.count is {brief(count)}, not a number of parts")
    if count == 1:
        return first
    part = PART.fullmatch(path)
    if part is None or int(part["count"]) != count:
        raise ReadError(f"{path}: is one of {count:,} parts, which are named NAME-00001-of-{count:05}.gguf")
    names = [f"{part['stem']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    missing = [os.path.basename(name) for name in names if not os.path.isfile(name)]
    if missing:
        more = f" and {len(missing) - 1:,} more are" if len(missing) > 1 else " is"
        raise ReadError(f"{path}: is one of {count:,} parts, and {missing[0]}{more} not beside it")
    headers = [first if name == path else header(name) for name in names]
    tensors: dict[str, GgufTensor] = {}
    for name, item in zip(names, headers, strict=True):
        twice = next((tensor for tensor in item.tensors if tensor in tensors), None)
        if twice is not None:
            raise ReadError(f"{name}: has the tensor {brief(twice)}, which another part has too")
        tensors.update(item.tensors)
    said = headers[0].metadata.get("split.tensors.count", len(tensors))
    if said != len(tensors):
        raise ReadError(f"{path}: split.tensors.count is {brief(said)}, and its parts have {len(tensors):,} tensors")
    data, lacking = sum(item.data_bytes for item in headers), sum(item.missing for item in headers)
    return GgufHeader(headers[0].metadata, tensors, data, lacking)


def _format(kind: GgmlType) -> WeightFormat:
    return WeightFormat(kind.name, (StoredTensor("blocks", kind.bytes, columns=kind.block),), DTYPES.get(kind.name, ""))


def _tensor(tensor: GgufTensor) -> FileTensor:
    columns, rows, *rest = (*tensor.sizes, 1)
    return FileTensor(_format(tensor.type), rows, columns, prod(rest))


def _text(whole: GgufHeader) -> str:
    """Returns how the file says that it is quantised, and otherwise the types of its matrices."""
    kind = whole.metadata.get(FILE_TYPE)
    if kind is not None and (type(kind) is not int or kind < 0):
        raise ReadError(f"{FILE_TYPE} is {brief(kind)}, not the number of a kind of file")
    said = "" if kind is None else FILE_TYPES.get(kind & 1023, "")
    types = dict.fromkeys(item.type.name for item in whole.tensors.values() if len(item.sizes) > 1)
    return f"gguf:{said}" if said else f"gguf:{'+'.join(types) or 'f32'}"


def _dtype(tensors: Mapping[str, GgufTensor]) -> str:
    """Returns the dtype of the computation: that of the file's matrices if they are in one, and else float16, which
    llama.cpp keeps its cache in."""
    types = {item.type.name for item in tensors.values() if len(item.sizes) > 1}
    return DTYPES.get(types.pop(), "float16") if len(types) == 1 else "float16"
