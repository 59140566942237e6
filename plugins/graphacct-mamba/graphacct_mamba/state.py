"""The state that a recurrent layer hands to the next step; its size does not depend on the number of tokens."""

from graphacct import Builder, TensorSpec, Value, Work, operator


@operator(
    "-> any", infer=lambda *, shape, dtype="float32": TensorSpec(tuple(shape), dtype), view=True, preexisting=True
)
def recurrent_state() -> Work:
    """The state that the last step left: no work, no new storage."""
    return Work()


@operator("x: ... -> ...", infer=lambda x: x, view=True)
def state_keep() -> Work:
    """What the next step finds: the tensor itself. No arithmetic."""
    return Work()


def keep(b: Builder, x: Value, label: str) -> None:
    """Hands x to the next step."""
    b.emit(b.apply("state_keep", x, name=f"{label}_state_kept"))
