"""Calls a function of the user's own that makes a model: `package.module:function`, or `FILE.py:function`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from traceback import walk_tb
from types import FunctionType, ModuleType
from typing import Any

from graphacct.errors import PluginError, ReadError
from graphacct.hooks.manager import Plugins

FILE_MODULE = "graphacct_model_"
"""Begins the names of modules that are read from files, so that none takes an installed module's place."""


def called(module: str, function: str, plugins: Plugins, unknown: Exception) -> Any:
    """Returns what a function makes, or what stands in its place: a Graph, or an object for a reader. An argument
    `operators` gets the operators of the plugins in use. It runs in the contexts in which readers have their objects
    built.

    Raises ReadError for a file or function that is not there or that fails, and `unknown` for a module that is not
    there, if it knows a model of a similar name: phi3:mini.
    """
    from_file = module.endswith(".py")
    if from_file and not os.path.isfile(module):
        raise ReadError(f"{module}:{function}: no such file: {module!r}")
    _add_folder(os.path.dirname(os.path.abspath(module)) if from_file else os.getcwd())
    try:
        there = _run(module) if from_file else importlib.import_module(module)
        maker = getattr(there, function, None)
        if maker is None:
            raise AttributeError(f"{module!r} has no attribute {function!r}{_others(there)}")
        if not callable(maker):
            return maker  # the graph itself, in place of a function that returns it
        code = getattr(maker, "__code__", None)
        asks = code is not None and "operators" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        return _built(partial(maker, operators=plugins.operators) if asks else maker, plugins)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]
        if missing and "did you mean" in str(unknown):
            raise unknown from error
        if isinstance(error, PluginError):
            raise
        what = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ReadError(f"{module}:{function} failed: {what}{_line(error, module)}") from error


def _line(error: Exception, module: str) -> str:
    """Returns where in the user's file an error came from, as ` (model.py:12)`; nothing if it did not pass there."""
    traces = [each.__traceback__ for each in (error.__cause__, error) if each is not None]
    lines = [line for trace in traces for frame, line in walk_tb(trace) if frame.f_code.co_filename == module]
    return f" ({os.path.basename(module)}:{lines[-1]})" if lines else ""


def _others(there: ModuleType) -> str:
    """Returns the functions that a module defines, for the error of one that it does not have."""
    made = [name for name, value in vars(there).items() if getattr(value, "__module__", "") == there.__name__]
    functions = sorted(name for name in made if isinstance(vars(there)[name], FunctionType))
    return f"; it has {', '.join(functions[:8])}" if functions else ""


def _built(maker: Callable[[], Any], plugins: Plugins) -> Any:
    """Returns what a function makes in the readers' contexts; if it fails there, in the others that they name.

    Raises what it raised at first if it fails in all of them.
    """
    readers = list(plugins.readers.values())
    try:
        with ExitStack() as building:
            for reader in readers:
                building.enter_context(reader.building())
            return maker()
    except Exception as error:
        for context in [context for reader in readers for context in reader.building_again(error)]:
            with suppress(Exception), context():
                return maker()
        raise


def _add_folder(folder: str) -> None:
    """Lets a module import those beside it, as Python lets a script."""
    if folder not in sys.path and not ("" in sys.path and folder == os.getcwd()):
        sys.path.insert(0, folder)


def _run(file: str) -> ModuleType:
    """Returns the module that a file makes."""
    module = ModuleType(FILE_MODULE + os.path.splitext(os.path.basename(file))[0])
    module.__file__ = file
    sys.modules[module.__name__] = module  # dataclasses look up their module by name
    with open(file, "rb") as source:
        exec(compile(source.read(), file, "exec"), module.__dict__)  # the user asked for this file
    return module
