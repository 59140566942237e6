"""What a library's own class of a model measures: what the hook `graphacct_measure_class` returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs


@attrs.frozen(eq=False, repr=False)
class ClassMeasurement:
    """A class of a framework, built from a configuration and measured without weights.

    Module paths have `*` for every index, and the whole model is the empty path. FLOPs are those of products, as a
    framework's counter says them, summed over the modules of a path.

    Attributes:
        name: The library with its version and the class: `transformers 5.23.0: LlamaForCausalLM`.
        counter: What counted the FLOPs.
        modules: The paths of all modules.
        parameters: Elements by the name of the parameter, tied ones once.
        forward: FLOPs of a forward pass by module path; a module without any may be left out.
        step: FLOPs of a training step from the sum of the outputs, likewise.
        blind: Operators that ran and do products that the counter does not see, with how often each ran.
        unseen_forward: FLOPs of those operators in a forward pass by module path, by formulas of their own; as far as
            there are any.
        unseen_step: The same of a training step.
        memory: Bytes of a training step by the name of a quantity: `saved_bytes`, `peak_bytes`,
            `backward_peak_bytes`; empty if they are not measured.
    """

    name: str
    counter: str
    modules: Collection[str]
    parameters: Mapping[str, int]
    forward: Mapping[str, int]
    step: Mapping[str, int]
    blind: Mapping[str, int] = attrs.field(factory=dict)
    memory: Mapping[str, int] = attrs.field(factory=dict)
    unseen_forward: Mapping[str, int] = attrs.field(factory=dict)
    unseen_step: Mapping[str, int] = attrs.field(factory=dict)

    def __repr__(self) -> str:
        return f"<ClassMeasurement {self.name}>"
