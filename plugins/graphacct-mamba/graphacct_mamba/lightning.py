"""The module around lightning attention: a joint projection with its activation, a norm, a gate.

MiniMax, 2025 (arXiv:2501.08313); names and order as in the transformers library's MiniMaxLightningAttention (5.23).
"""

from graphacct_architectures.layers import activation, linear, rms_norm

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_mamba.state import keep


@frozen
class Lightning:
    """One module.

    Attributes:
        heads, width: Heads of queries, keys and values alike, and their width.
        block: Positions of a block.
        activation: The operator that the projection goes through.
    """

    heads: Dim
    width: Dim
    block: Dim
    activation: str


def lightning(m: Lightning, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the module's output for x (batch, seq, width)."""
    batch, seq, width = x.spec.shape
    inner = m.heads * m.width
    for name, shape in buffers(m).items():
        b.parameter(name, shape, buffer=True)
    joint = activation(b, m.activation, linear(b, "qkv_proj", x, 3 * inner, bias=False))
    heads = b.apply("reshape", joint, name="heads", shape=(batch, seq, m.heads, 3 * m.width))
    parts = b.apply("split", heads, name="q_k_v", parts=3)
    q, k, v = (
        b.apply("transpose", part, name=f"{label}_by_head", dims=(1, 2))
        for part, label in zip(parts, "qkv", strict=True)
    )
    if workload.phase == "decode":
        shape = (batch, m.heads, m.width, m.width)
        state = b.apply("recurrent_state", name="lightning_state", shape=shape, dtype=x.spec.dtype)
        y, last = b.apply("lightning_step", q, k, v, state, name="lightning")
    else:
        views = equal(batch, 1)
        y, last = b.apply("lightning_blocks", q, k, v, name="lightning", block=m.block, views=views)
    if workload.phase in ("prefill", "decode"):
        keep(b, last, "lightning")
    y = b.apply("transpose", y, name="by_position", dims=(1, 2))
    y = b.apply("reshape", y, name="heads_joined", shape=(batch, seq, inner))
    y = rms_norm(b, "norm", y, upcast="norm")
    gate = b.apply("sigmoid", linear(b, "output_gate", x, inner, bias=False), name="gate")
    return linear(b, "out_proj", b.apply("mul", gate, y, name="gated"), width, bias=False)


def buffers(m: Lightning) -> dict[str, tuple[Dim, ...]]:
    """Returns the decays that the class stores with its weights."""
    return {
        "slope_rate": (m.heads, 1, 1),
        "query_decay": (m.heads, m.block, 1),
        "key_decay": (m.heads, m.block, 1),
        "diagonal_decay": (1, m.heads, m.block, m.block),
    }
