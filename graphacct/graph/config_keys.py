"""What became of the keys of a config.json that its family's configuration does not take."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

NOTHING: Mapping[str, str] = {}


@attrs.frozen
class ConfigKeys:
    """The keys of a file beside those that its family's configuration takes. A key of a nested configuration is given
    by its path: `text_config.foo`.

    Attributes:
        not_understood: Keys that nobody knows. They may change the cost. In the order of the file.
        no_cost: Keys that are known to change no cost, such as `initializer_range`.
        left_out: Keys of parts that the model's class leaves out, and what each describes: layers that predict further
            tokens.
        meant: For a key that is not understood, the closest key that the family has, if there is one.
        read_as: As which family a file of an unknown one is read, or as which preset a repository that none is of, and
            why; empty for known ones.
        sizes: Sizes of the workload that a file beside it stated, and its name; empty if none did.
        defaults: Which main sizes nobody gave, so that they are those of the family's class; empty if all were given.
    """

    not_understood: tuple[str, ...] = ()
    no_cost: tuple[str, ...] = ()
    left_out: Mapping[str, str] = NOTHING
    meant: Mapping[str, str] = NOTHING
    read_as: str = ""
    sizes: str = ""
    defaults: str = ""

    def notes(self) -> tuple[str, ...]:
        """Returns what a reader of the figures must know of them, a sentence each."""
        notes = [f"read: {self.read_as}"] if self.read_as else []
        notes += [f"left out: {text}" for text in self.left_out.values()]
        if self.defaults:
            notes.append(f"defaults: {self.defaults}")
        if self.sizes:
            notes.append(f"sizes: {self.sizes}")
        if self.not_understood:
            names = [f"{key} ({self.meant[key]}?)" if key in self.meant else key for key in self.not_understood]
            notes.append(f"not understood: {', '.join(names)}")
        return tuple(notes)


NO_KEYS = ConfigKeys()
"""Of a model without a config.json, and of a file whose keys are all taken."""
