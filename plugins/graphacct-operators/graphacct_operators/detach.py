"""Where gradients stop."""

from graphacct import Work, operator


@operator("x: ... -> ...", infer=lambda x: x, view=True, stops_gradient=True)
def detach() -> Work:
    """x without its history: a view through which no gradient flows. No arithmetic."""
    return Work()
