"""What a profile's function for an operator returned: the outputs of its kernels."""

from __future__ import annotations

from graphacct.errors import PluginError, brief
from graphacct.execution.kernels import Tensor


def outputs_of(returned: object, count: int, profile: str) -> tuple[Tensor, ...]:
    """Returns the outputs that an `expand` function returned: one, or a tuple of them.

    Raises PluginError for what is none, and for another number than the operator's.
    """
    outputs = returned if isinstance(returned, tuple) else (returned,)
    wrong = next((item for item in outputs if not isinstance(item, Tensor)), None)
    if len(outputs) != count or not all(isinstance(item, Tensor) for item in outputs):
        given = brief(wrong) if len(outputs) == count else f"{len(outputs)} outputs"
        what = "a graphacct.Tensor" if count == 1 else f"a tuple of {count} graphacct.Tensor"
        raise PluginError(f"expand of profile {profile!r} returned {given}, not {what}")
    return outputs
