"""The file beside a config.json that says how images, films and sounds are prepared: what sizes a model is given.

These become the workload's defaults. A size that depends on the picture (its shortest side alone, an area) is none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from graphacct.errors import ReadError, brief
from graphacct.files import read_json

FILES = ("preprocessor_config.json", "processor_config.json")
"""The file of one processor, and the one of several, of which each is an object."""
PARTS = ("image_processor", "feature_extractor", "video_processor")
MOST_BYTES = 2**20
"""The largest file that is read; published ones have some kB, and those of sounds their filters."""
MOST = 10**9
"""The largest size that is taken for one."""
FLAGS = ("do_center_crop", "do_pad", "do_resize", "do_image_splitting")
"""Keys that say what is done to a picture, and so which of its sizes is the last."""
SIZES = frozenset(("image_size", "tiles", "frames", "samples"))
"""The sizes that such a file gives."""
RELATIVE = frozenset(("shortest_edge", "longest_edge", "max_height", "max_width", "min_pixels", "max_pixels"))
"""Keys of a size from which a picture's own follows, and no size by itself."""
COUNTS = {
    "max_image_tiles": "tiles",
    "num_frames": "frames",
    "nb_max_frames": "frames",
    "n_samples": "samples",
    "nb_max_samples": "samples",
}
"""Keys of numbers, and the workload's size that each is."""


def stated_sizes(config: str) -> tuple[dict[str, Any], str]:
    """Returns the sizes that the file beside a config.json (or in its folder) states, and the file's name; nothing if
    there is no such file.

    Raises ReadError, which names the file, the key and its value, for one that is no size.
    """
    folder = config if os.path.isdir(config) else os.path.dirname(config)
    for name in FILES:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        content = read_json(path, MOST_BYTES, constants=float)
        if not isinstance(content, Mapping):
            raise ReadError(f"{path}: is {brief(content)}, not an object with the keys of a processor")
        parts = [content] if name == FILES[0] else [_part(content, key, path) for key in PARTS]
        found: dict[str, Any] = {}
        for part in parts:
            found = {**_sizes(part, path), **found}
        if found:
            return found, name
    return {}, ""


def _part(content: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    held = content.get(key)
    if held is None:
        return {}
    if not isinstance(held, Mapping):
        raise ReadError(f"{path}: {key} is {brief(held)}, not an object with the keys of a processor")
    return held


def _sizes(content: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Returns the sizes that one processor states."""
    for key in FLAGS:
        if not isinstance(content.get(key), (bool, type(None))):
            raise ReadError(f"{path}: {key} is {brief(content[key])}, not true or false")
    found: dict[str, Any] = {}
    for key, size in COUNTS.items():
        if content.get(key) is not None:
            found[size] = _count(content[key], key, path)
    if content.get("num_mel_bins") is not None and content.get("max_length") is not None:
        found.setdefault("frames", _count(content["max_length"], "max_length", path))
    image = _tile(content, path) or _image(content, path)
    return {**image, **found}


def _tile(content: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Returns the size and the number of the tiles of a square picture, whose sides are made so long that they are
    whole tiles (`size` and `max_image_size`, each a `longest_edge`)."""
    longest = _edge(content, "max_image_size", path)
    if longest is None:
        return {}
    found: dict[str, Any] = {"image_size": (longest, longest)}
    whole = _edge(content, "size", path)
    if content.get("do_image_splitting") is True and whole is not None and whole > longest:
        found["tiles"] = (-(-whole // longest)) ** 2 + 1  # the whole picture in one of them
    return found


def _edge(content: Mapping[str, Any], key: str, path: str) -> int | None:
    held = content.get(key)
    if not isinstance(held, Mapping) or held.get("longest_edge") is None:
        return None
    return _count(held["longest_edge"], f"{key}.longest_edge", path)


def _image(content: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Returns the size of an image: of what it is cropped to, padded to or resized to, whichever is last."""
    if content.get("do_center_crop") and content.get("crop_size") is not None:
        key = "crop_size"
    elif content.get("do_pad") and content.get("pad_size") is not None:
        key = "pad_size"
    else:
        key = "size"
    held = content.get(key)
    if held is None or content.get("do_resize") is False or (key == "size" and "max_size" in content):
        return {}
    if isinstance(held, (list, tuple)):  # of width and height in some files, of height and width in others
        return {}
    if not isinstance(held, Mapping):
        side = _count(held, key, path)
        return {"image_size": (side, side)}
    if held.get("height") is not None and held.get("width") is not None:
        return {"image_size": tuple(_count(held[side], f"{key}.{side}", path) for side in ("height", "width"))}
    if RELATIVE.isdisjoint(held):
        raise ReadError(f"{path}: {key} is {brief(held)}: a height and a width, a shortest_edge or one number")
    return {}


def _count(value: Any, key: str, path: str) -> int:
    if type(value) is not int or not 0 < value <= MOST:
        raise ReadError(f"{path}: {key} is a positive whole number, not {brief(value)}")
    return value
