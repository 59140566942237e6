"""What a U-Net of diffusers is told besides the text's tokens: classes, sizes, pooled texts and images."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import embedding, layer_norm, linear

from graphacct import Builder, ConfigError, Dim, Value, exact_div
from graphacct_diffusers.layers import sinusoids, time_embedding

TOKENS_OF_IMAGE = {"image_proj": 32, "text_image_proj": 10}
"""Tokens that an image's embedding becomes, which no key of a file sets."""
MOST_SIZES = 6
"""Numbers that say the picture's size, crop and target: SDXL's base model has 6, its refiner 5."""
POOLED = 1280
"""Channels of the pooled text beside them, in every published model."""


def of_class(c: Any, b: Builder, batch: Dim, steps: Dim, width: Dim) -> Value | None:
    """Returns the embedding of a class, or None. `steps` is the width of the time's sinusoids."""
    kind, name = c.class_embed_type, "class_embedding"
    if kind is None:
        if c.num_class_embeds is None:
            return None
        return embedding(b, name, b.input("class_labels", (batch,), "int64"), c.num_class_embeds, width)
    if kind == "timestep":
        labels = b.input("class_labels", (batch,), "int64")
        x = sinusoids(b, "class_proj", labels, steps, flip=c.flip_sin_to_cos)
        return time_embedding(b, name, x, width, kind=c.act_fn)
    if kind == "identity":
        return b.input("class_labels", (batch, width))
    if c.projection_class_embeddings_input_dim is None:
        raise ConfigError(f"class_embed_type {kind!r} needs projection_class_embeddings_input_dim")
    x = b.input("class_labels", (batch, c.projection_class_embeddings_input_dim))
    return time_embedding(b, name, x, width) if kind == "projection" else linear(b, name, x, width)


def sizes_told(c: Any) -> int:
    """Returns how many numbers say the picture's size: as many as leave room for the pooled text."""
    whole, each = c.projection_class_embeddings_input_dim, c.addition_time_embed_dim
    if whole is None or each is None:
        raise ConfigError(
            "addition_embed_type 'text_time' needs addition_time_embed_dim and projection_class_embeddings_input_dim"
        )
    known = [count for count in (6, 5) if whole - count * each == POOLED]
    if known:
        return known[0]
    count = min(MOST_SIZES, (whole - 1) // each)
    if count < 1:
        raise ConfigError(
            f"projection_class_embeddings_input_dim {whole} leaves no room for a text beside "
            f"addition_time_embed_dim {each}"
        )
    return count


def image_told(c: Any, b: Builder, batch: Dim) -> Value | None:
    """Returns the embedding of an image that the U-Net is told, or None."""
    kinds = {c.addition_embed_type, c.encoder_hid_dim_type}
    if not kinds & {"image", "image_proj", "text_image", "text_image_proj"}:
        return None
    width = _encoder(c, "an image's embedding") if kinds & {"image", "image_proj"} else c.cross_width
    return b.input("image_embeds", (batch, width))


def added(c: Any, b: Builder, text: Value | None, image: Value | None, batch: Dim, width: Dim) -> Value | None:
    """Returns the embedding that is added to the time's (`addition_embed_type`), or None."""
    kind = c.addition_embed_type
    if kind is None:
        return None
    if kind == "text_time":
        count, each = sizes_told(c), c.addition_time_embed_dim
        pooled = b.input("text_embeds", (batch, c.projection_class_embeddings_input_dim - count * each))
        ids = b.apply("reshape", b.input("time_ids", (batch, count)), name="time_ids_flat", shape=(batch * count,))
        sizes = sinusoids(b, "add_time_proj", ids, each, flip=c.flip_sin_to_cos)
        sizes = b.apply("reshape", sizes, name="time_embeds", shape=(batch, count * each))
        x = b.apply("concat", pooled, sizes, name="add_embeds", dim=-1)
        return time_embedding(b, "add_embedding", x, width)
    with b.scope("add_embedding"):
        if kind == "text":
            assert text is not None
            x = pooled_text(b, "pool", layer_norm(b, "norm1", text), c.addition_embed_type_num_heads)
            return layer_norm(b, "norm2", linear(b, "proj", x, width))
        assert image is not None
        if kind == "image":
            return layer_norm(b, "image_norm", linear(b, "image_proj", image, width))
        words = b.input("text_embeds", (batch, c.cross_width))
        words = layer_norm(b, "text_norm", linear(b, "text_proj", words, width))
        return b.apply("add", linear(b, "image_proj", image, width), words, name="sum")


def _encoder(c: Any, kind: str) -> Dim:
    if c.encoder_hid_dim is None:
        raise ConfigError(f"{kind} needs encoder_hid_dim, the width of what is projected")
    return c.encoder_hid_dim


def pooled_text(b: Builder, name: str, x: Value, heads: Dim) -> Value:
    """Applies AttentionPooling: the mean of a text (batch, n, width) asks it and itself. Returns (batch, width)."""
    batch, _, width = x.spec.shape
    each = exact_div(width, heads, "the text's width / addition_embed_type_num_heads")
    with b.scope(name):
        mean = b.apply("mean", x, name="mean", dim=(1,), keepdim=True)
        first = b.apply("add", mean, b.parameter("positional_embedding", (1, width)), name="class_token")
        x = b.apply("concat", first, x, name="tokens", dim=1)

        def shaped(part: str, y: Value) -> Value:
            y = linear(b, f"{part}_proj", y, width)
            y = b.apply("reshape", y, name=f"{part}_heads", shape=(batch, y.spec.shape[1], heads, each))
            y = b.apply("transpose", y, name=f"{part}_by_head", dims=(1, 2))
            y = b.apply("reshape", y, name=f"{part}_rows", shape=(batch * heads, y.spec.shape[2], each))
            return b.apply("transpose", y, name=f"{part}_turned", dims=(1, 2))

        q, k, v = shaped("q", first), shaped("k", x), shaped("v", x)
        q, k = b.apply("scale", q, name="q_scaled"), b.apply("scale", k, name="k_scaled")
        scores = b.apply("matmul", b.apply("transpose", q, name="q_rows_last", dims=(1, 2)), k, name="scores")
        weights = b.apply("softmax", scores, name="softmax")
        turned = b.apply("transpose", weights, name="weights_turned", dims=(1, 2))
        y = b.apply("matmul", v, turned, name="values")
        return b.apply("reshape", y, name="first_token", shape=(batch, width))


def text_states(c: Any, b: Builder, image: Value | None, batch: Dim, tokens: Dim) -> tuple[Value | None, Value | None]:
    """Returns the text's tokens as the encoder left them, and as attention asks them (`encoder_hid_dim_type`)."""
    kind = c.encoder_hid_dim_type or ("text_proj" if c.encoder_hid_dim is not None else None)
    width = c.cross_width
    if kind is None:
        text = b.input("encoder_hidden_states", (batch, tokens, width))
        return text, text
    given = _encoder(c, f"encoder_hid_dim_type {kind!r}")
    if kind == "text_proj":
        text = b.input("encoder_hidden_states", (batch, tokens, given))
        return text, linear(b, "encoder_hid_proj", text, width)
    count = TOKENS_OF_IMAGE[kind]
    if kind == "image_proj":
        assert image is not None
        with b.scope("encoder_hid_proj"):
            x = linear(b, "image_embeds", image, count * width)
            x = b.apply("reshape", x, name="image_tokens", shape=(batch, count, width))
            return None, layer_norm(b, "norm", x)
    text = b.input("encoder_hidden_states", (batch, tokens, given))
    with b.scope("encoder_hid_proj"):
        assert image is not None
        x = linear(b, "image_embeds", image, count * width)
        x = b.apply("reshape", x, name="image_tokens", shape=(batch, count, width))
        return text, b.apply("concat", x, linear(b, "text_proj", text, width), name="tokens", dim=1)
