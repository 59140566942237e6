"""Where gradients start within a graph."""

from graphacct import Work, operator


@operator("x: ... -> ...", infer=lambda x: x, view=True, stops_gradient=True, starts_gradient=True)
def leaf() -> Work:
    """x as a variable of its own, a leaf of autograd's graph that is no parameter: a view whose gradient a training
    step computes and keeps to its end, and through which none flows on. No arithmetic."""
    return Work()
