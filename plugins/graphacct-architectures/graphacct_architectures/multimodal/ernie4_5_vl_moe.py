"""ERNIE 4.5 VL: a grid of patches, squares of them through a resampler, into ERNIE 4.5 with experts of its own for
images.

Baidu ERNIE Team, "ERNIE 4.5 Technical Report", 2025. The tokens of images run through their experts, as the class's
processor says with `moe_mm_token_type_ids`.
"""

from __future__ import annotations

from graphacct import Builder, SubModel, Value, exact_div, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.modal_experts import with_images
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, sections_left_out, whole

CLASSES = ("Ernie4_5_VLMoeForConditionalGeneration", "Ernie4_5_VLMoeModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("ernie4_5_vl_moe_vision", always=True)
    text_config: SubModel = text_model("ernie4_5_vl_moe_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns one row of the text's width for each square of patches: of a frame, then of two frames, which for an
    image are the same one, then projected and normalized."""
    tower, out = config.vision_config.config, described(config.text_config).width
    squares = exact_div(extent.count, tower.spatial_merge_size**2, "patches / spatial_merge_size²")
    width = tower.hidden_size * tower.spatial_merge_size**2
    with b.scope("resampler_model"):
        x = narrowed(b, "spatial_linear", b.apply("reshape", x, name="squares", shape=(squares, width)), width)
        frames, read = [], squares if extent.times is None else exact_div(squares, 2, "squares of a film / 2 frames")
        for index in range(2):  # the class takes the even and the odd frames, whatever temporal_merge_size says
            places = b.apply("full", name=f"frames_{index}", shape=(read,), dtype="int64")
            frames.append(b.apply("index_select", x, places, name=f"frame_{index}", dim=0))
        x = narrowed(b, "temporal_linear", b.apply("concat", *frames, name="frames", dim=-1), width)
        return normed_by(b, "after_norm", linear(b, "mlp", x, out), Norm())


def narrowed(b: Builder, name: str, x: Value, width: object) -> Value:
    """Returns x after two linear layers and a norm, all of one width."""
    with b.scope(name):
        x = b.apply("gelu", linear(b, "fc1", x, width), name="act_fn")
        return normed_by(b, "ln", linear(b, "fc2", x, width), Norm(LAYER_NORM, bias=True))


def text(config: Config) -> Decoder:
    """Returns the text model, whose experts tell the tokens of images from others."""
    tower = config.vision_config.config
    return with_images(described(config.text_config), tower.patch_size * tower.spatial_merge_size)


ARCHITECTURE = whole(
    "ernie4_5_vl_moe",
    Config,
    __file__,
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    module="vision_tower",
    project=project,
    text=text,
    doc="ERNIE 4.5 VL: a grid of patches through a resampler into ERNIE 4.5, with experts for images.",
)
