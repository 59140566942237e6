"""Runs a function of the user's that makes a model: `module:function`, or `path/to/file.py:function`."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from graphacct.errors import GraphacctError, ReadError, suggest
from graphacct.hooks.manager import Plugins


def call(module: str, function: str, plugins: Plugins) -> Any:
    """Returns what a function makes: a Graph, or an object that a reader takes. An argument `operators` gets the
    operators of the plugins in use.

    The function runs in the contexts that readers give for building. Importing a file runs its code.

    Raises ReadError, which names the file or the function, if either fails.
    """
    where = f"{module}:{function}"
    try:
        found = _file(module) if module.endswith(".py") else _module(module)
    except GraphacctError:
        raise
    except Exception as error:
        raise ReadError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error
    maker = getattr(found, function, None)
    if not callable(maker):
        made_here = [name for name, item in vars(found).items() if callable(item) and not name.startswith("_")]
        raise ReadError(f"{module} has no attribute {function!r}{suggest(function, made_here)}")
    code = getattr(maker, "__code__", None)
    asks = code is not None and "operators" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    with contextlib.ExitStack() as stack:
        for reader in plugins.readers.values():
            stack.enter_context(reader.building())
        try:
            return maker(operators=plugins.operators) if asks else maker()
        except Exception as error:
            raise ReadError(f"{where} failed: {type(error).__name__}: {error}") from error


def _module(name: str) -> ModuleType:
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)


def _file(path: str) -> ModuleType:
    """Imports a file under a name of its own, so that files of the same name are told apart; its folder can be imported
    from, as when Python runs it."""
    if not os.path.isfile(path):
        raise ReadError(f"no file {path!r}")
    full = os.path.abspath(path)
    folder = os.path.dirname(full)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = f"graphacct_file_{full.replace(os.sep, '_').removesuffix('.py')}"
    spec = importlib.util.spec_from_file_location(name, full)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
