"""Execution profiles: which kernels each operator runs as on a device, and which tensors they save for backward.

A graph says what is computed, a profile by which kernels. Costs belong to the graph; memory is computed on the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from graphacct.errors import PluginError, brief
from graphacct.execution.recorder import BackwardRule, ExpandRule, WriteOutRule
from graphacct.operators.operator import Operator
from graphacct.operators.saved import Saved
from graphacct.operators.shape_inference import PROMOTE
from graphacct.tensors import FLOATING


@attrs.frozen(eq=False, repr=False)
class KernelNames:
    """The names of the kernels that run without being asked for, because the framework adds them.

    Attributes:
        start: Makes the gradient of 1 that the backward pass starts from.
        add: Adds two gradients that meet.
        sum: Sums a gradient over what its operand was broadcast to.
        keep: Copies a tensor that a kernel overwrites, for the kernel's gradient.
        copy: Copies an input's gradient that others have too, or that is laid out in another way than the input.
        cast: Casts to another dtype: an operator with an attribute `dtype`, if the profile has `casts`.
    """

    start: str = "initial gradient"
    add: str = "gradient addition"
    sum: str = "gradient reduction"
    keep: str = "copy of an overwritten tensor"
    copy: str = "copy of a gradient"
    cast: str = "dtype conversion"


def _are_saved(rule: object) -> bool:
    return isinstance(rule, tuple) and all(isinstance(saved, Saved) for saved in rule)


RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "expand": (callable, "a function that records kernels"),
    "saves": (_are_saved, "a tuple of graphacct.Saved"),
    "kernels": (lambda rule: isinstance(rule, Operator), "an operator"),
    "casts": (lambda rule: rule == PROMOTE or rule in FLOATING, f"a dtype of floating-point numbers or {PROMOTE!r}"),
    "backward": (callable, "a function that records the kernels of gradients"),
}
"""What a rule of each table is."""


@attrs.frozen(eq=False, repr=False)
class Profile:
    """How operators run.

    Attributes:
        name: What users call it.
        doc: One sentence: the framework, the device, and what is fused.
        expand: For an operator that runs as several kernels, a function that records them: it is given an
            `Expansion` and the operands, and returns the outputs. Shapes in and out are the operator's.
        saves: For an operator that saves other tensors than it declares, what it saves here.
        kernels: Operators that are no node of a graph: what `expand` may apply beside those that are registered.
        casts: For an operator before which the framework casts on its own, the dtype of its floating-point operands
            (`promote`: the one they are promoted to). What the operator expands to is not cast again. Copies of
            parameters are made once and live to the end of the pass, as those of torch's autocast do.
        backward: For an operator, a function that records the kernels of its gradients: it is given a `Recorder`, the
            output's gradient g and the operands, and returns each operand's gradient: a new tensor, a view of g, g
            itself, or None if `wanted` is false. A gradient of a broadcast operand may have the output's shape: the
            engine sums it. An operator without a rule makes all gradients in one kernel, or views if it is a view.
        names: The names of the kernels that the framework adds.
        write_out: Records the kernels that write a stored weight out in the dtype of a product, where that is so
            (`StoredWeight.written_out`). The copy is alive during the product, and is written out again for the
            gradient of the product's operand. Without it, products read the stored form.
        recorded: Whether memory is not computed on kernels but read from a recording of the module that the graph was
            captured from (`recording.py`).
        replaces: Whether it takes the place of a profile of this name from another plugin.

    Raises PluginError for a rule that is none, and for `casts` without the name of the operator that casts.
    """

    name: str
    doc: str
    expand: Mapping[str, ExpandRule] = attrs.field(factory=dict)
    saves: Mapping[str, tuple[Saved, ...]] = attrs.field(factory=dict)
    kernels: Mapping[str, Operator] = attrs.field(factory=dict)
    casts: Mapping[str, str] = attrs.field(factory=dict)
    backward: Mapping[str, BackwardRule] = attrs.field(factory=dict)
    names: KernelNames = attrs.field(factory=KernelNames)
    write_out: WriteOutRule | None = None
    recorded: bool = False
    replaces: bool = False
    _saving: dict[Operator, Operator] = attrs.field(factory=dict, init=False)

    def __repr__(self) -> str:
        return f"<Profile {self.name}>"

    def __attrs_post_init__(self) -> None:
        self._check_rules()
        if self.casts and self.names.cast == KernelNames().cast:
            raise PluginError(
                f"profile {self.name!r} casts operands and names no operator that does: "
                "names=KernelNames(cast=...) (docs/hooks.md)"
            )

    def _check_rules(self) -> None:
        """Raises PluginError for a table that is none, and a rule of another kind than its table has."""
        for table, (right, what) in RULES.items():
            rules = getattr(self, table)
            if not isinstance(rules, Mapping):
                raise PluginError(f"profile {self.name!r}: {table} is {brief(rules)}, not a mapping by operator")
            for name, rule in rules.items():
                if not right(rule):
                    raise PluginError(f"profile {self.name!r}: {table} of {name!r} is {brief(rule)}, not {what}")
        if not isinstance(self.names, KernelNames):
            raise PluginError(f"profile {self.name!r}: names is {brief(self.names)}, not a graphacct.KernelNames")
        if self.write_out is not None and not callable(self.write_out):
            raise PluginError(f"profile {self.name!r}: write_out is {brief(self.write_out)}, not a function")

    def operators(self, operators: Mapping[str, Operator]) -> Mapping[str, Operator]:
        """Returns the operators, with what they save under this profile, and its own kernels."""
        return _OperatorsOfProfile(self, operators)

    def saving(self, operator: Operator) -> Operator:
        """Returns an operator with what it saves under this profile; each time the same one, which remembers what it
        was applied to."""
        saves = self.saves.get(operator.name)
        if saves is None:
            return operator
        found = self._saving.get(operator)
        if found is None:
            found = self._saving[operator] = attrs.evolve(operator, saves=saves)
        return found


class _OperatorsOfProfile(Mapping[str, Operator]):
    """The operators under a profile. One is looked up, and thereby imported, when it is asked for: a model runs a few
    dozen of some hundreds."""

    def __init__(self, profile: Profile, registered: Mapping[str, Operator]) -> None:
        self._profile, self._registered = profile, registered
        self._found: dict[str, Operator] = {}
        self.known_as: Mapping[str, str] = getattr(registered, "known_as", {})  # for suggestions

    def __getitem__(self, name: str) -> Operator:
        found = self._found.get(name)
        if found is None:
            kernels = self._profile.kernels
            operator = kernels[name] if name in kernels else self._registered[name]
            found = self._found[name] = self._profile.saving(operator)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._profile.kernels or name in self._registered

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._registered, *self._profile.kernels)))

    def __len__(self) -> int:
        return len(dict.fromkeys(self))


DECLARED = Profile("declared", "Every operator is one kernel, which saves what its operator declares.")
