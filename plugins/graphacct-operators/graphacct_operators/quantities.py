"""Quantities of every report: the parameters that one token uses, and the bytes of the cache.

Every report has them, so this file knows their operators by name and imports none.
"""

from typing import Any

from graphacct import Dim, Node, Parameter, Quantity, TensorSpec, exact_div, minimum, prod

EXPERTS = ("grouped_linear", "grouped_linear_in_out")
KEEP = "kv_keep"


def active_params(parameter: Parameter, node: Node) -> Dim:
    """Returns the elements of a node's parameter that one token uses: of experts' weights those of the chosen
    experts."""
    if parameter.chosen is not None:
        used, count = parameter.chosen
        return exact_div(parameter.spec.elements * used, count)
    if node.operator not in EXPERTS:
        return parameter.spec.elements
    return prod(parameter.spec.shape[1:]) * node.attributes.get("per_token", 1)


def kv_cache_bytes(record: Any) -> Any:
    """Bytes that a node leaves in the cache."""
    return record.node.outputs[0].spec.bytes if record.node.operator == KEEP else 0


def kv_bytes_per_token(record: Any) -> Any:
    """Bytes of one token of one sequence in what a node leaves in the cache."""
    if record.node.operator != KEEP:
        return 0
    return token_bytes(record.node.outputs[0].spec, grows=record.node.attributes.get("grows", True))


def kv_bytes_next_token(record: Any) -> Any:
    """Bytes that the next token of one sequence adds to what a node leaves in the cache."""
    if record.node.operator != KEEP:
        return 0
    attributes = record.node.attributes
    how = {name: attributes[name] for name in ("grows", "window", "following") if name in attributes}
    return next_token_bytes(record.node.outputs[0].spec, **how)


def token_bytes(out: TensorSpec, *, grows: Any = True) -> Any:
    """Bytes of one token of one sequence in a cache (batch, ..., tokens, width): none in one that does not grow, and
    what `grows` says where that is a number."""
    if grows is not True:
        return grows or 0
    return TensorSpec((prod(out.shape[1:-2]), out.shape[-1]), out.dtype).bytes


def next_token_bytes(out: TensorSpec, *, grows: Any = True, window: Any = None, following: Any = None) -> Any:
    """Bytes that the next token of one sequence adds: those of a token, and none where a window is full; or what
    `following` says."""
    if following is not None:
        return following
    token = token_bytes(out, grows=grows)
    if window is None:
        return token
    tokens = out.shape[-2]
    return token * (minimum(tokens + 1, window) - minimum(tokens, window))


ACTIVE_PARAMS = Quantity(
    "active_params",
    "parameter",
    doc="Parameters that one token uses, tied ones once: of experts the chosen ones.",
    of_owned=active_params,
    within="params",
    title="Active",
)
KV_CACHE_BYTES = Quantity(
    "kv_cache_bytes",
    "byte",
    kv_cache_bytes,
    "The keys and values in the cache when the phase ends, of all layers and sequences.",
    phase="prefill decode",
    at_end=True,
    title="KV cache",
)
KV_BYTES_PER_TOKEN = Quantity(
    "kv_bytes_per_token",
    "byte",
    kv_bytes_per_token,
    "What one more token of one sequence adds to the cache, all layers, while no window is full.",
    phase="prefill decode",
    at_end=True,
    words="each further token of a sequence in the cache, while no window is full,",
)
KV_BYTES_NEXT_TOKEN = Quantity(
    "kv_bytes_next_token",
    "byte",
    kv_bytes_next_token,
    "What the next token of one sequence adds to the cache, all layers: nothing in those whose window is full, and "
    "less than nothing where it completes an entry that stands for several tokens.",
    phase="prefill decode",
    at_end=True,
    within="kv_bytes_per_token",
    words="here the next token adds",
)
