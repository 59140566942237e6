"""DeepSeek-VL with two towers: SigLIP's tokens beside those of SAM's image encoder, of a larger copy of the image.

Lu et al., 2024 (arXiv:2403.05525).
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal import (
    Composition,
    Part,
    composition,
    described,
    looked,
    of_images,
    text_model,
    vision_model,
)

from graphacct import Builder, ConfigError, PresetFiles, SubModel, Value, Workload, differ, fields, floor_div, frozen
from graphacct_vision.multimodal.got_ocr2 import flattened
from graphacct_vision.parts.layers import resized
from graphacct_vision.sam.sam_vision import VisionKeys, encoded_and_state, necked

CLASSES = ("DeepseekVLHybridForConditionalGeneration", "DeepseekVLHybridModel")


@frozen(kw_only=True)
class DeepseekVLHybridConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("siglip_vision_model")
    high_res_vision_config: VisionKeys | None = fields.nested(VisionKeys, "deepseek_vl_hybrid")
    text_config: SubModel = text_model("llama")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def sam(self) -> VisionKeys:
        """The encoder of the larger copy."""
        return self.high_res_vision_config or VisionKeys()


def compose(config: DeepseekVLHybridConfig, root: str) -> Composition:
    """Returns a decoder, and its images through both towers and the aligner."""
    text = described(config.text_config)
    half = floor_div(text.width, 2)

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_model"):
            (low,) = looked(config.vision_config, images, b)
        high = larger(config, root, images, b)
        with b.scope(f"{root}aligner"):
            low = linear(b, "vision_proj", low, half)
            high = linear(b, "high_res_vision_proj", high, half)
            if differ(low.spec.shape[1], high.spec.shape[1]):
                raise ConfigError(
                    f"vision_config sees {low.spec.shape[1]} tokens, and high_res_vision_config {high.spec.shape[1]}: "
                    "the class does not run"
                )
            x = b.apply("gelu", b.apply("concat", high, low, name="both", dim=-1), name="act")
            return linear(b, "proj", x, text.width)

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def larger(config: DeepseekVLHybridConfig, root: str, images: Workload, b: Builder) -> Value:
    """Returns the tokens of the larger copies of images, (images, tokens, channels): of the encoder's last layer, and
    of its first that sees the whole image, times a learned number."""
    c, tower = config.sam, config.vision_config.config
    if not c.global_attn_indexes:
        raise ConfigError("high_res_vision_config.global_attn_indexes is empty: its first layer is read")
    first = c.global_attn_indexes[0] + 1
    if not 0 < first <= c.num_hidden_layers:
        raise ConfigError(f"high_res_vision_config.global_attn_indexes begins with {first - 1}: no layer is there")
    own = attrs.evolve(images, image_size=(c.image_size, c.image_size))
    with b.inside(f"{root}high_res_vision_model", "high_res_"), b.scope("vision_encoder"):
        last, state = encoded_and_state(c, own, b, "high_res_vision_config.image_size", first)
    with b.scope(f"{root}high_res_vision_neck"):
        early = necked(c, b, state)
    side = 4 * floor_div(tower.image_size[0], tower.patch_size[0])
    weights = {
        f"conv{index}": b_width for index, b_width in enumerate((2 * c.output_channels, 4 * c.output_channels), 1)
    }
    made = []
    for turn, (word, x) in enumerate((("last", last), ("early", early))):
        x = resized(b, f"{root}high_res_vision_{word}_resized", x, (side, side))
        with b.scope(f"{root}high_res_vision_proj"), b.turn(turn):
            for name, width in weights.items():
                weight = b.parameter(f"{name}.weight", (width, x.spec.shape[1], 3, 3))
                x = b.apply("convolution", x, weight, name=name, stride=2, padding=1)
        made.append(x)
    with b.scope(root.removesuffix(".")):
        early = b.apply("mul", made[1], b.parameter("high_res_vision_alpha", (1,)), name="early_weighed")
        x = b.apply("add", made[0], early, name="high_res_features")
    return flattened(b, x)


def image_size(config: Any) -> Any:
    """Returns the size of an image: the first tower's."""
    return config.vision_config.config.image_size


ARCHITECTURE = composition(
    "deepseek_vl_hybrid",
    DeepseekVLHybridConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=image_size,
    no_cost={"scale": None},
    doc="DeepSeek-VL with two towers: SigLIP and SAM's image encoder, one network, any decoder.",
)
