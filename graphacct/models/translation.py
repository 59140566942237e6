"""A translation: how a description of a model that is no config.json is said in the keys of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

MOST_BYTES = 16 * 2**20
"""The largest file beside another that is read."""


def _no_places(content: Mapping[str, Any], name: str) -> Sequence[str]:
    return ()


def _no_files(content: Mapping[str, Any]) -> Sequence[str]:
    return ()


@attrs.frozen(eq=False, repr=False)
class Translation:
    """A form of description, and its keys as those of a config.json.

    A file's content is the object in a JSON file, or a GGUF file's metadata with its tensors' sizes by name under
    `tensors`, each the innermost first.

    Attributes:
        name: What messages call it.
        doc: One sentence.
        accepts: Returns whether content has this form, by its keys. The first that accepts it translates it.
        config: Returns the keys of a config.json, `model_type` among them. Raises ReadError, which names the key and
            the value, for what it does not translate; DeclinedError leaves the content to the translations after it.
        places: Given the content and the name of a tensor in the file, returns the names of the parameters that it may
            be, as those of a `TensorPlan`.
        file: The name of the file in a model's folder, for a form in JSON; empty for one of another kind of file.
        beside: Given the content, returns the files below its folder that it needs too, as `vae/config.json`. `config`
            gets the value in each under its name, beside the content's own keys; a file that is not there is left out.
        replaces: Whether it replaces another plugin's translation of the same name.
    """

    name: str
    doc: str
    accepts: Callable[[Mapping[str, Any]], bool]
    config: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    places: Callable[[Mapping[str, Any], str], Sequence[str]] = _no_places
    file: str = ""
    beside: Callable[[Mapping[str, Any]], Sequence[str]] = _no_files
    replaces: bool = False

    def __repr__(self) -> str:
        return f"<Translation {self.name}>"


def translated(
    content: Mapping[str, Any], translations: Mapping[str, Translation], folder: str = ""
) -> tuple[Translation, Mapping[str, Any]] | None:
    """Returns the translation of some content, and the keys of a config.json; None if no translation accepts it.
    `folder` is the content's; empty for a content of no file.

    Raises ReadError for content that is accepted and cannot be translated, PluginError for a translation that fails.
    """
    from graphacct.errors import DeclinedError, GraphacctError, PluginError, brief, failure

    declined = None
    for translation in translations.values():
        try:
            if not translation.accepts(content):
                continue
            keys = translation.config(_with_files(content, translation.beside(content), folder))
        except DeclinedError as error:
            declined = error
            continue
        except GraphacctError:
            raise
        except Exception as error:
            raise PluginError(failure(f"translation {translation.name!r}", error)) from error
        if not isinstance(keys, Mapping):
            raise PluginError(f"translation {translation.name!r} returned {brief(keys)}, not the keys of a config.json")
        return translation, keys
    if declined is not None:
        raise declined
    return None


def _with_files(content: Mapping[str, Any], names: Sequence[str], folder: str) -> Mapping[str, Any]:
    """Returns a content with the values in the files of these names below its folder."""
    if not names or not folder:
        return content
    from graphacct.files import read_json

    paths = {name: os.path.join(folder, *name.split("/")) for name in names}
    found = {name: read_json(path, MOST_BYTES, constants=float) for name, path in paths.items() if os.path.isfile(path)}
    return {**content, **found}
