"""The verb that lists models."""

from __future__ import annotations

from graphacct.hooks.manager import Plugins, default


def list_models(*words: str, plugins: Plugins | None = None) -> list[str]:
    """Returns the names of the models with each of the words in their name, in that of their family or of their
    repository on the Hugging Face Hub, in any case; of all models without words.

    Args:
        words: `list_models("qwen3", "8b")`.
        plugins: Those in use; all that are installed unless given.

    Raises UnknownNameError if words are given and no model has them all.

    >>> list_models("gpt2", "xl")
    ['gpt2-xl']
    """
    from graphacct.render.catalogue import catalogue

    return [row["name"] for row in catalogue("architectures", plugins or default(), words, whole=False)]
