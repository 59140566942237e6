"""An architecture whose module is imported on first use.

There are many families, each a module with a configuration class; a report needs one of them. The names are declared
here, and a test compares them with the module's.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from graphacct.models.architecture import Architecture


@attrs.frozen(eq=False, repr=False)
class LazyArchitecture:
    """The names of an architecture that is not imported yet.

    Attributes:
        name: The architecture's name.
        module: The module whose ARCHITECTURE it is.
        presets: The names of its published configurations.
        model_types: The `model_type`s of config.json files that it reads.
        replaces: Whether it replaces another plugin's architecture of the same name.
    """

    name: str
    module: str
    presets: Collection[str] = ()
    model_types: tuple[str, ...] = ()
    replaces: bool = False

    def load(self) -> Architecture:
        """Returns the architecture itself."""
        architecture: Architecture = importlib.import_module(self.module).ARCHITECTURE
        return architecture
