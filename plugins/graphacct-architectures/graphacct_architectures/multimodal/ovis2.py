"""Ovis 2: an AIMv2 tower whose tokens are shares of the words of a table, which stand in Qwen2.5's text.

Lu et al., 2024 (arXiv:2405.20797).
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, differ, fields, frozen
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.multimodal import aimv2_vision
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.projector import square_side

CLASSES = ("Ovis2ForConditionalGeneration", "Ovis2Model")
SOFT, HARD, DRAWN = "softmax", "st_argmax", "gumbel_argmax"


@frozen(kw_only=True)
class VisionConfig(aimv2_vision.VisionConfig):
    """The tower's keys that the cost depends on."""

    vocab_size: Dim = fields.size(16384)
    hidden_stride: int = fields.size(1)
    num_visual_indicator_tokens: Dim = fields.size(5)
    tokenize_function: str = fields.choice(SOFT, (SOFT, HARD, DRAWN))
    use_head: bool = fields.flag(False)
    is_native: bool = fields.always(False)


@frozen(kw_only=True)
class Ovis2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "ovis2")
    text_config: SubModel = text_model("qwen2")
    hidden_size: Dim = fields.size(1536)
    vocab_size: Dim = fields.size(151643)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """The tower."""
        return self.vision_config or VisionConfig()


def compose(config: Ovis2Config, root: str) -> Composition:
    """Returns a decoder, and its images as mixtures of the rows of a table."""
    text, c = described(config.text_config), config.vision

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_tower"):
            with b.scope("transformer"):
                states = aimv2_vision.image_states(c, images, b, "vision_config.image_size", (), "patch_embedding")
                x = normed_by(b, "rms_norm", states[c.num_hidden_layers], Norm())
            shares = chosen(c, b, x)
        count, tokens, _words = shares.spec.shape
        own = c.num_visual_indicator_tokens
        none = b.apply("full", name="no_indicators", shape=(count, tokens, own), dtype=b.dtype)
        shares = b.apply("concat", shares, none, name="of_all_words", dim=2)
        table = b.parameter(f"{root}visual_embeddings_table.weight", (c.vocab_size, config.hidden_size))
        with b.scope(f"{root}visual_embeddings_table"):
            x = b.apply("matmul", shares, table, name="mixed")
            ids = b.apply("arange", name="indicator_ids", n=own)
            b.apply("embedding", b.apply("reshape", ids, name="indicators", shape=(own,)), table, name="indicator_rows")
        return x

    part = Part("images", rows)
    return Composition(text, (part,), f"{root}language_model", tied=config.tie_word_embeddings)


def chosen(c: VisionConfig, b: Builder, x: Value) -> Value:
    """Returns the share of each word that an image's tokens are, (images, tokens, words)."""
    if c.hidden_stride > 1:
        x = squares(b, x, c.hidden_stride)
    logits = linear(b, "head_linear", x, c.vocab_size - c.num_visual_indicator_tokens, bias=False)
    logits = layer_norm(b, "head_norm", logits)
    if c.tokenize_function == SOFT:
        return b.apply("softmax", logits, name="shares")
    if c.tokenize_function == DRAWN:
        noise = b.apply("random", name="exponential", shape=logits.spec.shape, dtype=b.dtype)
        noise = b.apply("neg", b.apply("log", noise, name="noise_log"), name="noise")
        logits = b.apply("scale", b.apply("add", logits, noise, name="noisy"), name="tempered")
    soft = b.apply("softmax", logits, name="soft")
    shape = soft.spec.shape
    b.apply("max_with_indices", soft, name="largest", dim=-1, keepdim=True)
    column = b.apply("constant", name="largest_column", shape=(*shape[:-1], 1), dtype="int64")
    zeros = b.apply("full", name="no_word", shape=shape, dtype=b.dtype)
    hard = b.apply("scatter", zeros, column, name="hard", dim=-1)
    hard = b.apply("sub", hard, b.apply("detach", soft, name="soft_detached"), name="hard_less_soft")
    found: Value = b.apply("add", hard, soft, name="shares")
    return found


def squares(b: Builder, x: Value, stride: int) -> Value:
    """Returns squares of tokens as one; zeros stand behind rows and columns that do not divide."""
    images, tokens, width = x.spec.shape
    side = square_side(tokens)
    extra = -side % stride
    if extra and (side + extra) ** 2 != tokens:  # the class pads the list of tokens, which are no square any more
        raise ConfigError(
            f"vision_config.hidden_stride is {stride}, which does not divide an image's {side} patches a side: the "
            "class does not run"
        )
    count = side // stride
    x = b.apply("reshape", x, name="squares", shape=(images, count, stride, count, stride, width))
    x = b.apply("permute", x, name="squares_first", dims=(0, 1, 3, 2, 4, 5))
    found: Value = b.apply("reshape", x, name="squares_joined", shape=(images, count**2, stride**2 * width))
    return found


def image_size(config: Ovis2Config) -> Any:
    """Returns the size of an image: the tower's."""
    return config.vision.image_size


def images(config: Ovis2Config) -> int:
    """Returns how many images a sequence has unless the workload says so: none if the rows of the table are of another
    width than the text's, as with the class's defaults."""
    return 0 if differ(config.hidden_size, described(config.text_config).width) else 1


ARCHITECTURE = composition(
    "ovis2",
    Ovis2Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=image_size,
    sizes={"images": images},
    no_cost={"hidden_size": (), "vocab_size": (), "visual_indicator_token_ids": None},
    doc="Ovis 2: an AIMv2 tower, a table of visual words, any decoder.",
)
