"""Hugging Face's config.json: the configuration of a model that somebody has on disk.

A file holds only the values that differ from its class's defaults, and older files use older keys. What becomes of a
key that the family does not take is in `models/keys.py`. Code that a file names (`auto_map`) is never run, and nothing
is fetched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import DeclinedError, GraphacctError, ReadError, brief
from graphacct.files import read_json
from graphacct.models.default_sizes import left_out
from graphacct.models.find import NO_OVERRIDES, ModelChoice
from graphacct.models.keys import FAMILY
from graphacct.readers.families import family_of, of_part
from graphacct.readers.weight_keys import QUANTIZED, of_file, stated_weights

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.models.architecture import Architecture

FILE = "config.json"
ADAPTER = "adapter_config.json"
MODULES = "modules.json"
"""The file of sentence-transformers beside a config.json."""
PIPELINE = "model_index.json"
OTHER_FILES = ("params.json", "hparams.json", "open_clip_config.json", PIPELINE)
"""Files that describe a model in other words, for a translation to read."""
MOST_BYTES = 16 * 2**20
"""The largest config.json that is read; published ones have some kB."""
PEEK = 2**16
"""Bytes that are enough to recognise a saved graph; a config.json may have a thousand labels before its
`model_type`."""
FOREIGN = frozenset(["peft_type", "_class_name", "_diffusers_version"])
"""Keys of adapters and of diffusers, whose files are of another form even with a `model_type`."""
CLASS = b'"_class_name"'
"""A key of diffusers, whose files may have any name."""


def accepts(model: Any) -> bool:
    """Returns whether a path is a config.json, another file with a `model_type`, or a folder with a config.json; or
    whether an object is a mapping with such keys, or a configuration of the transformers or diffusers library."""
    if not isinstance(model, str):
        return any(key in content for content in [_content(model)] for key in ("model_type", "architectures", *FOREIGN))
    path = model
    if os.path.isdir(path):
        return _described_in(path) != ""
    if os.path.basename(path) in (FILE, *OTHER_FILES):
        return os.path.isfile(path)
    if not path.endswith(".json") or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        start = file.read(PEEK)
        if b"graphacct.graph/" in start:
            return False
        rest = file.read(MOST_BYTES) if b'"model_type"' not in start else b""
    return b'"model_type"' in start or b'"model_type"' in rest or CLASS in start


def _content(model: Any) -> Mapping[str, Any]:
    """Returns the keys of an object: of a mapping its own, of a configuration of the transformers library what it would
    write to a file; none of anything else. The library is not imported."""
    if isinstance(model, Mapping):
        return model
    written = getattr(model, "to_dict", None)
    kind = getattr(model, "model_type", None)
    found = written() if isinstance(kind, str) and callable(written) and not isinstance(model, type) else {}
    return found if isinstance(found, Mapping) else {}


def _described_in(folder: str) -> str:
    """Returns the name of the file in a folder that describes its model; empty if there is none."""
    return next((name for name in (FILE, *OTHER_FILES) if os.path.isfile(os.path.join(folder, name))), "")


def find(model: Any, plugins: Plugins) -> tuple[str, Architecture, Any]:
    """Returns the model's name, its architecture and its configuration, as `choose` finds them; a file may leave all
    sizes out."""
    found = choose(model, plugins, defaults=True)
    return found.name, found.architecture, found.config


def choose(
    model: Any, plugins: Plugins, overrides: Mapping[str, Any] = NO_OVERRIDES, defaults: bool = False
) -> ModelChoice:
    """Returns the model, from a path or from an object with a file's keys. `overrides` replace keys of the file before
    it is read, `model_type` among them; the caller applies those that the family takes once more. A file must have a
    size, unless its family's `defaults` will do; a mapping may name the family alone.

    Raises ReadError, which names the file, the key, the value and what was expected.
    """
    if not isinstance(model, str):
        content = _content(model)
        try:
            return _choice(content, plugins, overrides, _called(content), defaults=True)
        except GraphacctError as error:
            raise _error("the configuration", error) from error
    file = os.path.join(model, _described_in(model) or FILE) if os.path.isdir(model) else model
    content = read_json(file, MOST_BYTES, constants=float)
    try:
        if not isinstance(content, dict):
            raise ReadError(f"is {brief(content)}, not an object with the keys of a configuration")
        if os.path.isfile(os.path.join(os.path.dirname(file), MODULES)):
            return _of_sentences(content, plugins, overrides, file, model, defaults)
        return _beside_adapter(_choice(content, plugins, overrides, _name(file), model, defaults))
    except GraphacctError as error:
        raise _error(file, error) from error


def _of_sentences(
    content: Mapping[str, Any], plugins: Plugins, overrides: Mapping[str, Any], file: str, path: str, defaults: bool
) -> ModelChoice:
    """Returns the base model in a folder of sentence-transformers, with what follows it there."""
    from graphacct.readers.sentence_transformers import following, of_base_model

    after = following(os.path.join(os.path.dirname(file), MODULES))
    found = _choice(of_base_model(content), plugins, overrides, _name(file), path, defaults)
    rewrites = (("sentence", {"modules": after.modules}),) if after.modules else ()
    if after.left_out:
        left_out = {**found.keys.left_out, MODULES: f"{after.left_out} of {MODULES}"}
        found = attrs.evolve(found, keys=attrs.evolve(found.keys, left_out=left_out))
    return attrs.evolve(found, rewrites=rewrites)


def _beside_adapter(found: ModelChoice) -> ModelChoice:
    """Returns the model of a folder, with a note if an adapter lies there too, which its own file alone adds."""
    if not os.path.isfile(os.path.join(found.path, ADAPTER)):
        return found
    left_out = {**found.keys.left_out, ADAPTER: f"the adapter beside config.json (give {ADAPTER} itself)"}
    return attrs.evolve(found, keys=attrs.evolve(found.keys, left_out=left_out))


def _choice(
    content: Mapping[str, Any],
    plugins: Plugins,
    overrides: Mapping[str, Any],
    name: str,
    path: str = "",
    defaults: bool = False,
) -> ModelChoice:
    """Returns the model that the keys describe."""
    content = _overridden(content, overrides)
    file = _described_in(path) if os.path.isdir(path) else os.path.basename(path)
    if not FOREIGN.isdisjoint(content):
        content = _of_other_form(content, plugins, file, path)
    elif not content.get("architectures"):
        content = _overridden(_translated(content, plugins, file), overrides)
    architecture, read_as = family_of(content, plugins, os.path.basename(path))
    part = ""
    if architecture.inner_classes:
        architecture, content, part = of_part(architecture, content)
        read_as = part or read_as
    takes = {field.name for field in attrs.fields(architecture.config)}
    applied = frozenset(
        key
        for key in overrides
        if (key in content and architecture.aliases.get(key, key) not in takes)
        or (_inside(content, key) and (architecture.unknown(key, content) or key.partition(".")[0] in QUANTIZED))
    )
    quantized = [key for key in QUANTIZED if content.get(key) and key not in takes]
    alone = path and not any(key in overrides for key in QUANTIZED)  # set to null, they are left out
    text = content.get("text_config")
    text = text if isinstance(text, Mapping) and not quantized and "text_config" in takes else {}
    inside = {key for key in QUANTIZED if text.get(key)}
    if inside:  # the text model alone is packed, and its object says so
        said = stated_weights(content, path, plugins.weight_formats)
        content = {**content, "text_config": {key: text[key] for key in text if key not in inside}}
    else:
        said = of_file(content, quantized, path, plugins.weight_formats) if quantized or alone else None
    content = {key: value for key, value in content.items() if key not in quantized}
    given = {key: value for key, value in overrides.items() if architecture.aliases.get(key, key) in takes}
    keys = architecture.keys({**content, **given}, defaults=defaults)  # a size may come from the user
    if read_as:
        keys = attrs.evolve(keys, read_as=read_as)
    if not part:
        keys = attrs.evolve(keys, defaults=left_out(architecture, {**content, **given}))
    config = architecture.configured(content)
    found = ModelChoice(name or architecture.name, architecture, config, path, keys, applied)
    if path:
        found = _with_sizes_beside(found)
    if said is None:
        return found
    keys = attrs.evolve(keys, not_understood=(*keys.not_understood, *said.not_understood))
    return attrs.evolve(found, keys=keys, weights=said.plan, kv_dtype=said.kv_dtype, problem=said.problem)


def _with_sizes_beside(found: ModelChoice) -> ModelChoice:
    """Returns a model of images or sounds with the sizes that a processor's file beside it states."""
    from graphacct.readers.preprocessor import SIZES, stated_sizes  # most models have neither

    wanted = SIZES.intersection(found.architecture.sizes)
    if not wanted:
        return found
    frames = found.architecture.sizes.get("frames")
    if frames is not None and frames(found.config) is None:  # pictures, unless the workload says that they are films
        wanted -= {"frames"}
    stated, name = stated_sizes(found.path)
    return attrs.evolve(found, sizes={size: stated[size] for size in sorted(wanted & set(stated))}, sizes_from=name)


def _error(where: str, error: GraphacctError) -> ReadError:
    """Returns an error with the file in front. One that leaves the model to other readers does so still."""
    return error.at(where) if isinstance(error, DeclinedError) else ReadError(f"{where}: {error}")


def _overridden(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys of a file with those that a user overrides; a key of a nested object is given by its path."""
    result = dict(content)
    for key, value in overrides.items():
        if key in content or key in (FAMILY, *QUANTIZED):
            result[key] = value
        elif _inside(content, key):
            outer, _, inner = key.partition(".")
            result[outer] = {**result[outer], inner: value}
    return result


def _inside(content: Mapping[str, Any], key: str) -> bool:
    """Returns whether a path is that of a key of a nested object."""
    outer, dot, inner = key.partition(".")
    held = content.get(outer)
    return bool(dot) and isinstance(held, Mapping) and inner in held


def _translated(content: Mapping[str, Any], plugins: Plugins, file: str) -> Mapping[str, Any]:
    """Returns the keys of a config.json that other keys stand for; the content itself if it is no other description, or
    if its `model_type` is of another family than the one that such keys are of. A params.json has types of its own,
    such as `transformer`."""
    from graphacct.models.translation import translated

    found = translated(content, plugins.translations)
    other = content.get(FAMILY) not in (None, found[1].get(FAMILY)) if found else True
    if found is None or (other and file not in OTHER_FILES):
        return content
    return found[1]


def _of_other_form(content: Mapping[str, Any], plugins: Plugins, file: str, path: str) -> Mapping[str, Any]:
    """Returns the keys of a config.json that those of FOREIGN stand for, with what other files in its folder say.
    Raises ReadError, which says what the file is, if no translation reads it."""
    from graphacct.models.translation import translated

    folder = path if not path or os.path.isdir(path) else os.path.dirname(path) or os.curdir
    found = None if "peft_type" in content else translated(content, plugins.translations, folder)
    if found is not None:
        return found[1]
    from graphacct.readers.foreign import kind_of

    raise ReadError(kind_of(content, file))


def _called(content: Mapping[str, Any]) -> str:
    """Returns the model's name according to its configuration: the last part of `org/model`, or empty."""
    name = content.get("_name_or_path")
    return os.path.basename(os.path.normpath(name)) if isinstance(name, str) and name else ""


def _name(file: str) -> str:
    """Returns the model's name: the folder's, or the file's if that says more."""
    name = os.path.basename(file)
    if name not in (FILE, PIPELINE):
        return os.path.splitext(name)[0]
    return os.path.basename(os.path.dirname(os.path.realpath(file))) or os.path.splitext(name)[0]
