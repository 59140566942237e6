"""Linear algebra: what torch's decompositions put out, and what of it is read."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule


def solved(call: CallRecord, a: Arguments) -> Mapped:
    """The solution of a system; right-hand sides that are vectors are columns of one."""
    b, x = a["B"], call.outputs[0]
    if len(b.shape) < len(a["A"].shape):
        found = Mapped("solve", (a["A"], Mapped("reshape", (b,), {"shape": (*b.shape, 1)})))
        return Mapped("reshape", (found,), {"shape": x.shape})
    return Mapped("solve", (a["A"], b), {} if a["left"] else {"left": False})


def checked(operator: str, operand: str) -> Rule:
    """Returns the rule of an operator that also says, if asked, whether it could."""
    return lambda call, a: Mapped(operator, (a[operand],), aside="info")


def eigenvalues(operator: str, operand: str) -> Rule:
    """Returns the rule of eigenvalues; their vectors are an output if they are read."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        computes = bool(a.get("compute_v", True))
        settings = {} if computes else {"computes_vectors": False}
        return Mapped(operator, (a[operand],), settings, aside="vectors")

    return rule


def singular_values(call: CallRecord, a: Arguments) -> Mapped:
    """The values, torch's second result; the vectors are outputs if they are read."""
    settings = {"computes_vectors": False} if not a["compute_uv"] else {}
    settings |= {"full_matrices": True} if a["full_matrices"] else {}
    return Mapped("svd", (a["A"],), settings, (1,), aside="vectors", beside=(1, 0, 2))


def orthogonal(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("qr", (a["A"],), {} if a["mode"] == "reduced" else {"mode": a["mode"]}, (0, 1))


def with_factors(call: CallRecord, a: Arguments) -> Mapped:
    """A system whose LU factors are there."""
    settings = {} if a["left"] else {"left": False}
    return Mapped("lu_solve", (a["LU"], a["pivots"], a["B"]), settings)
