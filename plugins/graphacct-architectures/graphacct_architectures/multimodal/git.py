"""GIT: a CLIP tower's tokens before a text's, in BERT's layers that see the image and what was written.

Wang et al., 2022 (arXiv:2205.14100). The library's class writes attention out whatever the workload
says.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.encoders.parts.description import Encoder, Names
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.layer import layer
from graphacct_architectures.layers import for_logits, layer_norm, linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, entropy_if, own_cross_entropy, total
from graphacct_architectures.multimodal import clip
from graphacct_architectures.residing import reside

CLASSES = ("GitForCausalLM", "GitModel")


@frozen(kw_only=True)
class VisionConfig(clip.VisionConfig):
    """The tower's keys that the cost depends on."""

    patch_size: tuple[Dim, Dim] = fields.sides(16)


@frozen(kw_only=True)
class GitConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "git")
    vocab_size: Dim = fields.size(30522)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(6)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.1)
    attention_probs_dropout_prob: float = fields.probability(0.1)
    max_position_embeddings: Dim = fields.size(1024)
    tie_word_embeddings: bool = fields.flag(False)
    num_image_with_embedding: int | None = fields.optional_size()
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """The tower."""
        return self.vision_config or VisionConfig()


def build(config: GitConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from images and a text to logits of all their tokens, or to the last stream."""
    headed = config.architectures == CLASSES[0]
    workload = attrs.evolve(workload, attention="eager")
    check_entropy(headed, workload, config.architectures)
    x = stream(config, workload, b, "git" if headed else "")
    if not headed:
        return x
    b.hold(x)
    tied = "git.embeddings.word_embeddings.weight" if config.tie_word_embeddings else ""
    return linear(b, "output", for_logits(b, x, workload), config.vocab_size, tied_to=tied)


def stream(config: GitConfig, workload: Workload, b: Builder, root: str) -> Value:
    """Returns the last layer's output, of the image's tokens and the text's; the modules are in `root`."""
    e = described(config)
    assert workload.images is not None  # the architecture declares its default
    with b.scope(root):
        x = embedded(e, workload, b)
    if workload.phase == "decode" or equal(workload.images, 0):
        aside = Builder("images", b.operators, b.dtype)
        with aside.scope(root):
            unseen = seen(config, attrs.evolve(workload, images=1), aside)
        reside(b, aside.graph(unseen))
    with b.scope(root):
        if workload.phase != "decode" and not equal(workload.images, 0):
            x = b.apply("concat", seen(config, workload, b), x, name="image_and_text", dim=1)
        batch, seq, _ = x.spec.shape
        keys = workload.positions if workload.phase == "decode" else seq
        sizes: dict[str, Any] = {"batch": batch, "seq": seq, "keys": keys}
        if workload.phase != "decode" and workload.seq_len is not None:
            sizes["prefix"] = seq - workload.seq_len
        mask = b.apply("causal_mask", name="causal_mask", **sizes, dtype=b.dtype)
        b.hold(mask)
        return b.repeat(e.names.stack, e.count, partial(layer, e, workload), x, constants=(mask,))


def seen(config: GitConfig, workload: Workload, b: Builder) -> Value:
    """Returns the tokens of each text's images, beside one another and as wide as the text's."""
    c, count = config.vision, workload.images
    frames = config.num_image_with_embedding
    assert count is not None
    images = attrs.evolve(workload, batch=workload.batch * count)
    with b.scope("image_encoder.vision_model"):
        x = clip.image_states(c, images, b, "vision_config.image_size")[c.num_hidden_layers]
        x = layer_norm(b, "post_layernorm", x)
    _, tokens, width = x.spec.shape
    for index in range(frames or 0):  # of films alone
        own = b.parameter(f"img_temporal_embedding.{index}", (1, 1, width))
        b.apply("resident", own, name=f"img_temporal_embedding.{index}")
    x = b.apply("reshape", x, name="images_joined", shape=(workload.batch, tokens * count, width))
    with b.scope("visual_projection.visual_projection"):
        return layer_norm(b, "1", linear(b, "0", x, config.hidden_size))


def described(config: GitConfig) -> Encoder:
    """Returns the text's layers."""
    return Encoder(
        config.vocab_size,
        config.hidden_size,
        config.intermediate_size,
        config.num_attention_heads,
        config.num_hidden_layers,
        ACTIVATIONS[config.hidden_act],
        config.max_position_embeddings,
        config.max_position_embeddings,
        counted=False,
        token_types=0,
        embedding_width=config.hidden_size,
        module="",
        names=Names(),
        dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        causal=True,
        written_out=True,
    )


def image_size(config: GitConfig) -> Any:
    """Returns the size of an image: the tower's."""
    return config.vision.image_size


ARCHITECTURE = Architecture(
    "git",
    GitConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.max_position_embeddings,
        "images": lambda config: 1,
        "image_size": image_size,
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    losses={CROSS_ENTROPY: own_cross_entropy, SUM: total},
    default_loss=lambda config: entropy_if(config.architectures == CLASSES[0]),
    model_types=("git",),
    doc="GIT: a CLIP tower's tokens before a text's, in BERT's layers.",
)
