"""Joint attention: the tokens of a picture and of a text, each with its own projections, all ask all."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, Workload
from graphacct_diffusers.attention import attend
from graphacct_diffusers.layers import feed_forward, gated_sum, modulated
from graphacct_diffusers.patches import normed

MLP = "gelu-approximate"


def joint_attention(
    b: Builder,
    name: str,
    x: Value,
    text: Value | None,
    heads: Dim,
    workload: Workload,
    *,
    norm: Any = None,
    text_out: bool = True,
) -> tuple[Value, Value | None]:
    """Applies Attention with JointAttnProcessor2_0 to a picture's tokens and a text's (batch, n, width).

    `norm(b, name, y)` norms the queries and keys of each head, if there is one. Without `text_out` the text's own
    output is not computed.
    """
    _, count, width = x.spec.shape
    each = width // heads

    def projected(part: str, y: Value, label: str, norm_name: str) -> Value:
        y = split_heads(b, linear(b, part, y, width), heads, each, label)
        return norm(b, norm_name, y) if norm is not None and norm_name else y

    with b.scope(name):
        parts = [
            projected("to_q", x, "q", "norm_q"),
            projected("to_k", x, "k", "norm_k"),
            projected("to_v", x, "v", ""),
        ]
        if text is not None:
            names = (
                ("add_q_proj", "tq", "norm_added_q"),
                ("add_k_proj", "tk", "norm_added_k"),
                ("add_v_proj", "tv", ""),
            )
            others = [projected(part, text, label, norm_name) for part, label, norm_name in names]
            parts = [
                b.apply("concat", own, other, name=f"all_{label}", dim=2)
                for own, other, label in zip(parts, others, "qkv", strict=True)
            ]
        y = merge_heads(b, attend(b, parts[0], parts[1], parts[2], workload))
        if text is None:
            return linear(b, "to_out.0", y, width), None
        rest = text.spec.shape[1]
        own = b.apply("slice", y, name="of_picture", dim=1, start=0, length=count)
        told = b.apply("slice", y, name="of_text", dim=1, start=count, length=rest)
        answer = linear(b, "to_add_out", told, width) if text_out else None
        return linear(b, "to_out.0", own, width), answer


def after(
    b: Builder,
    ending: str,
    x: Value,
    y: Value,
    parts: list[Value],
    workload: Workload,
    *,
    extra: Value | None = None,
    inner: Dim | None = None,
) -> Value:
    """Returns tokens x after attention gave y: gated and added, then normed, shifted, and through a feed-forward of
    `inner` channels. `parts` are the gate, and the shift, scale and gate of the feed-forward. `ending` tells the text's
    modules."""
    gate, shift, scale, gate_mlp = parts
    x = gated_sum(b, f"attn_residual{ending}", x, gate, y)
    if extra is not None:
        x = b.apply("add", x, extra, name=f"attn2_residual{ending}")
    y = modulated(b, f"norm2{ending}_modulated", normed(b, f"norm2{ending}", x), scale, shift)
    y = feed_forward(b, f"ff{ending}", y, MLP, workload, inner=inner)
    return gated_sum(b, f"ff_residual{ending}", x, gate_mlp, y)
