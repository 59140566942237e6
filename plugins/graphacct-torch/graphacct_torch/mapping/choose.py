"""Which rule a call has: a cost that the user states, its line in the table, or the general one by torch's tags."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord, TensorRecord, writes
from graphacct_torch.errors import UnmappedError
from graphacct_torch.mapping.mapped import Rule
from graphacct_torch.mapping.own import own
from graphacct_torch.mapping.rule import by_tags, unknown_in_parts
from graphacct_torch.mapping.table import TABLE
from graphacct_torch.stated import stated_cost

EXAMPLE = '''\
import graphacct
import graphacct_torch


@graphacct_torch.cost("{name}")
def {word}({arguments}):  # tensors are graphacct.TensorSpecs
    """So many for each element: which operations, and where the figure comes from."""
    return graphacct.Work(vector_flops=1 * {first}.elements)


@{word}.gradient
def {word}_gradient({arguments}):
    return graphacct.Work(vector_flops=2 * {first}.elements)
'''
"""The lines that give an operator a cost, in the file of the module or in a plugin."""


def rule_of(call: CallRecord) -> Rule | None:
    """Returns the rule of a call; that of the operator it is for one in place. None leaves the call out, because it
    does nothing.

    Raises KeyError for a call that has none.
    """
    name = call.name
    stated = stated_cost(name)
    if stated is not None:
        return own(stated)
    if unknown_in_parts(call):
        return by_tags(call)
    if name in TABLE:
        return TABLE[name]
    library, operator, overload = name.rsplit(".", 2)
    plain = f"{library}.{operator.removesuffix('_')}.{overload}"
    if plain in TABLE:
        return TABLE[plain]
    if not call.outputs and not any(map(writes, call.func._schema.arguments)):
        return None  # a question, such as whether two shapes are alike
    rule = by_tags(call)
    if rule is None:
        raise KeyError(name)
    return rule


def unmapped(call: CallRecord, model: str) -> UnmappedError:
    """Returns the error of a call that has no rule; it brings the lines that give it a cost."""
    where = f"module {call.scope!r}" if call.scope else f"{model} itself"
    line = f" at {call.line}" if call.line else ""
    tensors = [name for name, value in call.arguments.items() if isinstance(value, TensorRecord)] or ["out"]
    example = EXAMPLE.format(
        name=call.name, word=call.name.split(".")[1].strip("_"), arguments=", ".join(tensors), first=tensors[0]
    )
    return UnmappedError(
        f"nothing says what {call.name} costs, which {where} calls{line}; lines such as these, in the module's file or "
        "a plugin, say it:",
        example,
    )
