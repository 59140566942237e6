"""What the families of SAM share: the keys of a prompt and of masks, and the Architecture around a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Dim, PresetFiles, Value, fields, frozen
from graphacct_vision.sam.sam_masks import MaskConfig
from graphacct_vision.sam.sam_prompt import PromptConfig


@frozen(kw_only=True)
class SamKeys:
    """The keys beside those of the image encoder."""

    prompt_encoder_config: PromptConfig | None = fields.nested(PromptConfig, "SAM")
    mask_decoder_config: MaskConfig | None = fields.nested(MaskConfig, "SAM")
    dtype: str | None = fields.dtype()

    @property
    def prompt(self) -> PromptConfig:
        """The prompt encoder."""
        return self.prompt_encoder_config or PromptConfig()

    @property
    def masks(self) -> MaskConfig:
        """The mask decoder."""
        return self.mask_decoder_config or MaskConfig()


def prompted_family(
    name: str,
    config: type[Any],
    build: Callable[..., tuple[Value, ...]],
    presets: PresetFiles,
    doc: str,
    image: Callable[[Any], tuple[Dim, Dim]],
    no_cost: Mapping[str, None],
) -> Architecture:
    """Returns the architecture around a function that builds the graph from pixels and points; `image` is the size of
    an image unless a workload says another one."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": image, "points": lambda config: 1},
        attention=("fused", "eager"),
        dtype="float32",
        aliases={"torch_dtype": "dtype"},
        no_cost=no_cost,
        model_types=(name,),
        losses=SUM_ALONE,
        doc=doc,
    )
