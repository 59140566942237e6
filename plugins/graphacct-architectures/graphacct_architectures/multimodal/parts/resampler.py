"""IDEFICS's resampler: learned queries that read an image's tokens, several times, and stand for them.

A Perceiver (Jaegle et al., 2021, arXiv:2103.03206) as Flamingo has it: each layer's keys are the tokens' and the
queries' own.
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, fields, frozen
from graphacct_architectures.layers import layer_norm, linear, merge_heads, split_heads


@frozen(kw_only=True)
class PerceiverConfig:
    """The keys of the queries that make an image's tokens fewer."""

    resampler_n_latents: Dim = fields.size(64)
    resampler_depth: Dim = fields.size(6)
    resampler_n_heads: Dim = fields.size(16)
    resampler_head_dim: Dim = fields.size(96)
    qk_layer_norms_perceiver: bool = fields.flag(False)


def resampled(c: PerceiverConfig, b: Builder, x: Value) -> Value:
    """Returns what learned queries read of an image's tokens, (images, queries, width), in several turns."""
    images, _, width = x.spec.shape
    heads, d_head = c.resampler_n_heads, c.resampler_head_dim
    own = b.parameter("latents", (c.resampler_n_latents, width))
    y = b.apply("reshape", own, name="latents_of_one", shape=(1, c.resampler_n_latents, width))
    y = b.apply("repeat", y, name="latents_of_images", times=(images, 1, 1))

    def body(b: Builder, y: Value, x: Value) -> Value:
        with b.scope("0"):
            seen, asked = layer_norm(b, "context_layer_norm", x), layer_norm(b, "latents_layer_norm", y)
            parts = [linear(b, "q_proj", asked, heads * d_head, bias=False)]
            for label in "kv":
                both = b.apply("concat", seen, asked, name=f"{label}_sources", dim=-2)
                parts.append(linear(b, f"{label}_proj", both, heads * d_head, bias=False))
            q, k, v = (split_heads(b, part, heads, d_head, label) for part, label in zip(parts, "qkv", strict=True))
            if c.qk_layer_norms_perceiver:
                q, k = layer_norm(b, "q_layer_norm", q), layer_norm(b, "k_layer_norm", k)
            q = b.apply("scale", q, name="q_scaled")
            scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
            most = b.apply("amax", scores, name="largest", dim=-1, keepdim=True)
            scores = b.apply("sub", scores, b.apply("detach", most, name="largest_detached"), name="stabilized")
            z = b.apply("matmul", b.apply("softmax", scores, name="softmax"), v, name="values")
            z = linear(b, "output_proj", merge_heads(b, z), width, bias=False)
        y = b.apply("add", z, y, name="asked_residual")
        with b.scope("1"):
            z = linear(b, "fc", layer_norm(b, "ln", y), 4 * width, bias=False)
            z = linear(b, "c_proj", b.apply("relu", z, name="act"), width, bias=False)
        found: Value = b.apply("add", z, y, name="mlp_residual")
        return found

    y = b.repeat("blocks", c.resampler_depth, body, y, constants=(x,))
    return layer_norm(b, "layer_norm", y)
