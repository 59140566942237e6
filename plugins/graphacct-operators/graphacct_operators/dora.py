"""DoRA (Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024): an adapter whose result is scaled to a length
that is trained, in the order in which the peft library computes (peft, `tuners/lora/dora.py`).

result + (m/n - 1) · base(x) + m/n · B(A(x)) · scaling, where m is one trained length per output, and n the lengths of
the rows of W + scaling · BA. n has no gradient. BA is computed as B(A(1)), with the identity as a batch of in rows:
2 · in · rank · (in + out) FLOPs in every pass, whatever the batch.
"""

from typing import Any, NamedTuple

from graphacct import Dim, Parameter, Replacement, TensorSpec, Value


class Sides(NamedTuple):
    """The parameters of one adapted layer.

    Attributes:
        weight: The layer's own matrix.
        bias: The layer's own bias; None if it has none.
        inside: How many inputs it has.
        outside: How many outputs.
        turned: Whether it is stored as (inside, outside).
        down: The adapter's A (rank, inside).
        up: The adapter's B (outside, rank).
        module: The path of the layer.
    """

    weight: Parameter
    bias: Value | Parameter | None
    inside: Dim
    outside: Dim
    turned: bool
    down: Parameter
    up: Parameter
    module: str


def dora(place: Replacement, name: str, base: Value, x: Value | Parameter, dropped: bool, sides: Sides) -> Any:
    """Returns the result of a layer with such an adapter: what stands in place of the layer's own result `base`.

    `dropped` says that x has been through a dropout: then the layer's product is computed again, of the x that is left.
    """
    around = f"{name}.lora_magnitude_vector"
    dtype = sides.down.spec.dtype

    def here(operator: str, *operands: Any, called: str, keep: bool = False, **attributes: Any) -> Any:
        made = place.apply(operator, *operands, name=f"{around}.{called}", **attributes)
        if keep:
            place.hold(made, until=around)  # a variable of the function
        return made

    identity = here("eye", called="identity", keep=True, n=sides.inside, m=sides.inside, dtype=dtype)
    rows = here("linear", identity, sides.down, called="identity_A", keep=True)
    product = here(
        "transpose", here("linear", rows, sides.up, called="identity_B", keep=True), called="product", dims=(0, 1)
    )
    weight: Any = sides.weight
    if sides.turned:
        # peft makes a parameter of the turned weight, whose gradient a step computes and nobody reads
        weight = here("leaf", here("transpose", weight, called="weight_turned", dims=(0, 1)), called="weight")
    constant = here("detach", product, called="constant")
    whole = here("add", weight, here("scale", constant, called="product_scaled"), called="whole")
    lengths = here("detach", here("vector_norm", whole, called="lengths", dim=1), called="lengths_constant", keep=True)
    length = Parameter(f"{sides.module}.lora_magnitude_vector.default.weight", TensorSpec((sides.outside,), dtype))
    ratio = here("reshape", here("div", length, lengths, called="ratio"), called="ratio_row", shape=(1, sides.outside))
    down = place.apply("linear", x, sides.down, name=f"{name}.lora_A")
    up = place.apply("linear", down, sides.up, name=f"{name}.lora_B")
    place.hold(up, until=around)
    result: Any = base
    if dropped:
        result = here("linear", x, weight, called="base_dropped")
    elif sides.bias is not None:
        result = here("sub", base, sides.bias, called="base_unbiased")
    more = here("mul", here("shift", ratio, called="ratio_less_1"), result, called="base_scaled")
    adapter = here("scale", here("mul", ratio, up, called="adapter"), called="adapter_scaled")
    return place.apply("add", base, here("add", more, adapter, called="both"), name=f"{name}.lora_add")
