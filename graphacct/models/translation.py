"""A translation: how a description of a model that is no config.json is said in the keys of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs


def _no_places(content: Mapping[str, Any], name: str) -> Sequence[str]:
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
        replaces: Whether it replaces another plugin's translation of the same name.
    """

    name: str
    doc: str
    accepts: Callable[[Mapping[str, Any]], bool]
    config: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    places: Callable[[Mapping[str, Any], str], Sequence[str]] = _no_places
    file: str = ""
    replaces: bool = False

    def __repr__(self) -> str:
        return f"<Translation {self.name}>"


def translated(
    content: Mapping[str, Any], translations: Mapping[str, Translation]
) -> tuple[Translation, Mapping[str, Any]] | None:
    """Returns the translation of some content, and the keys of a config.json; None if no translation accepts it.

    Raises ReadError for content that is accepted and cannot be translated, PluginError for a translation that fails.
    """
    from graphacct.errors import DeclinedError, GraphacctError, PluginError, brief, failure

    declined = None
    for translation in translations.values():
        try:
            if not translation.accepts(content):
                continue
            keys = translation.config(content)
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
