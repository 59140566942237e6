"""The verb that loads plugins beside the installed ones."""

from __future__ import annotations

import os
from collections.abc import Iterable

from graphacct.hooks.manager import Plugins
from graphacct.hooks.manager import load as loaded


def load_plugins(*files: str | os.PathLike[str], block: Iterable[str] = ()) -> Plugins:
    """Returns the installed plugins with those of some files, for `plugins=` of any other verb.

    Args:
        files: Python files with hooks: `load_plugins("my_ops.py")`.
        block: Names of installed plugins to leave out.

    Raises PluginError, which names it, for a plugin that cannot be loaded or is not installed.

    >>> "linear" in load_plugins().operators
    True
    """
    return loaded(block, [os.fspath(file) for file in files])
