"""CoCa's decoder: a stream of words that sees itself, then the image, in turn (Yu et al., 2022, arXiv:2205.01917;
open_clip's `coca_model.py` and `transformer.py`)."""

from __future__ import annotations

from graphacct_architectures.decoders import mlp
from graphacct_architectures.layers import layer_norm, scaled
from graphacct_architectures.tower import Tower, layer

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, has_value, same
from graphacct_vision.multimodal.attentional_pool import asked
from graphacct_vision.multimodal.open_clip_cfg import Layers, MultimodalCfg
from graphacct_vision.multimodal.open_clip_image import described


def decoded(c: MultimodalCfg, words: Dim, act: str, workload: Workload, b: Builder, image: Value, x: Value) -> Value:
    """Returns the logits of `words` of each token of x (batch, seq, width) beside the `image`'s tokens (batch, tokens,
    width); the builder is in the decoder's scope."""
    batch, seq, width = x.spec.shape
    for label, size in (("text_cfg.width", width), ("the image's tokens are", image.spec.shape[-1])):
        if not same(size, c.width):
            raise ConfigError(
                f"{label} {size} wide, and multimodal_cfg.width is {c.width}: the decoder reads both as they are"
            )
    if has_value(c.context_length) and has_value(seq) and c.context_length < seq:
        raise ConfigError(f"multimodal_cfg.context_length {c.context_length} is below the {seq} tokens that it reads")
    if type(c.layers) is not int:
        raise ConfigError(f"multimodal_cfg.layers is {c.layers}: two lists of layers take turns, so give a number")
    own = described(Layers(ls_init_value=c.ls_init_value), 1, c.width, c.heads, act, causal=True)
    d_head = exact_div(c.width, c.heads, "multimodal_cfg.width / heads")
    rest: tuple[Value, ...] = ()
    if workload.attention == "eager":
        rest = (b.apply("causal_mask", name="causal_mask", batch=batch, seq=seq, dtype=b.dtype),)
    body = layer(own, d_head, workload, masked=bool(rest))
    b.hold(image, *rest)
    for index in range(c.layers):
        with b.scope(f"resblocks.{index}"):
            x = body(b, x, *rest)
        with b.scope(f"cross_attn.{index}"):
            x = seeing(own, workload, b, image, x)
    x = layer_norm(b, "ln_final", x)
    found: Value = b.apply("matmul", x, b.parameter("text_projection", (width, words)), name="logits")
    return found


def seeing(t: Tower, workload: Workload, b: Builder, image: Value, x: Value) -> Value:
    """Returns x after a layer that reads the image, whose tokens are normalized for keys and for values apart."""
    with b.turn(0):
        keys = layer_norm(b, "ln_1_kv", image)
    with b.turn(1):
        values = layer_norm(b, "ln_1_kv", image)
    q = layer_norm(b, "ln_1", x)
    with b.scope("attn"):
        y = asked(workload, b, q, keys, values, t.heads)
    y = scaled(b, t.scales[0], y) if t.scales[0] else y
    x = b.apply("add", x, y, name="attn_residual")
    y = layer_norm(b, "ln_2", x)
    with b.scope("mlp"):
        y = mlp(t.mlp, b, y)
    y = scaled(b, t.scales[1], y) if t.scales[1] else y
    found: Value = b.apply("add", x, y, name="mlp_residual")
    return found
