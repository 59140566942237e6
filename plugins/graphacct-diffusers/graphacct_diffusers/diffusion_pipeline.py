"""A pipeline of diffusers: texts are encoded, one step of denoising runs, and the latents are decoded to a picture.

All parts' parameters are counted. What a pipeline computes between its parts is not: guidance, the scheduler's
arithmetic, the scale of latents. Further steps, and guidance, run the U-Net or transformer again.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import attrs
from graphacct_architectures.residing import reside

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    fields,
    frozen,
    has_value,
)
from graphacct_diffusers import keys, model_index
from graphacct_diffusers.attention import KINDS

CLIP = "clip_text_model"
"""The family of texts that are padded to all of its positions."""
OF_CLIP = 77
"""The tokens of a text as SD3's pipeline puts them in front of those of T5."""
MORE_TOKENS = {"sd3": -OF_CLIP, "qwen-image": 34}
"""The tokens of a text encoder beyond those that the denoising model is given, by that model's family: Qwen-Image's
pipeline puts 34 of a template in front (`prompt_template_encode_start_idx`), and cuts them off again."""
STEP, SECOND = "transformer", "transformer_2"


def any_model() -> Any:
    """Returns the key of a part that may be left out."""
    return fields.model("", optional=True, classed=True)


@frozen(kw_only=True)
class DiffusionPipelineConfig:
    """The parts of a pipeline."""

    unet: SubModel | None = any_model()
    transformer: SubModel | None = any_model()
    transformer_2: SubModel | None = any_model()
    vae: SubModel | None = any_model()
    text_encoder: SubModel | None = any_model()
    text_encoder_2: SubModel | None = any_model()
    text_encoder_3: SubModel | None = any_model()

    @property
    def step(self) -> tuple[str, SubModel]:
        """The model that denoises, with its name. It is told how many pixels the autoencoder makes of a latent."""
        if self.vae is None or (self.unet is None) == (self.transformer is None):
            raise ConfigError("a pipeline has a vae, and a unet or a transformer")
        name = "unet" if self.transformer is None else STEP
        found = getattr(self, name)
        known = {field.name for field in attrs.fields(type(found.config))}
        if "vae_scale_factor" in known and found.config.vae_scale_factor is None:
            return name, attrs.evolve(found, config=attrs.evolve(found.config, vae_scale_factor=self.pixels))
        return name, found

    @property
    def pixels(self) -> Dim | None:
        """Pixels of a side for each latent, as the autoencoder's blocks say; None if its file has no list of them."""
        assert self.vae is not None
        if hasattr(self.vae.config, "pixels"):
            found: Dim = self.vae.config.pixels
            return found
        lists = ("block_out_channels", "decoder_block_out_channels")
        blocks = next((found for name in lists if (found := getattr(self.vae.config, name, None))), None)
        return None if blocks is None else 2 ** (len(blocks) - 1)

    @property
    def texts(self) -> dict[str, SubModel]:
        """The text encoders."""
        found = {name: getattr(self, name) for name in model_index.TEXTS}
        return {name: part for name, part in found.items() if part is not None}

    @property
    def dtype(self) -> str:
        """The dtype of all parts: that of the model that denoises."""
        dtype: str = self.step[1].architecture.dtype
        return dtype


def size(name: str) -> Any:
    """Returns the default of a size of the workload: that of the model that denoises."""

    def found(config: DiffusionPipelineConfig) -> Any:
        part = config.step[1]
        return part.architecture.sizes[name](part.config) if name in part.architecture.sizes else None

    return found


def build(c: DiffusionPipelineConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from texts and noisy latents to the picture, what a step gives and the encoded texts."""
    name, step = c.step
    found = [encoded(label, part, step, workload, b) for label, part in c.texts.items()]
    noise = run(name, step, workload, b)
    if c.transformer_2 is not None:  # another step runs it
        other = Builder(SECOND, b.operators, b.dtype)
        with other.inside(SECOND):
            given = c.transformer_2.architecture.build(
                c.transformer_2.config, of_part(c.transformer_2, workload), other
            )
        reside(b, other.graph(given))
    assert c.vae is not None
    return decoded(c.vae, workload, b), noise, *found


def of_part(part: SubModel, workload: Workload, **sizes: Any) -> Workload:
    """Returns the workload of a part: of the pipeline's sizes those that it has, and `sizes` of its own."""
    takes = part.architecture.sizes
    given = {name: getattr(workload, name) for name in ("seq_len", "image_size", "frames") if name in takes}
    given |= {"images": 0} if "images" in takes else {}
    kind = workload.attention if part.architecture.attention else None
    found: Workload = part.architecture.workload(
        part.config, Workload(batch=workload.batch, attention=kind, **{**given, **sizes})
    )
    return found


def run(name: str, part: SubModel, workload: Workload, b: Builder, **sizes: Any) -> Value:
    """Adds a part in the scope of its name, and returns its first output."""
    with b.inside(name, f"{name}."):
        outputs = part.architecture.build(part.config, of_part(part, workload, **sizes), b)
    return outputs[0] if isinstance(outputs, tuple) else outputs


def encoded(name: str, part: SubModel, step: SubModel, workload: Workload, b: Builder) -> Value:
    """Adds a text encoder, with as many tokens as its pipeline gives it."""
    family = part.architecture.name
    if family != CLIP:
        return run(name, part, attrs.evolve(workload, image_size=None), b, seq_len=words_of(step, workload))
    positions = part.config.max_position_embeddings
    if "unet" in step.architecture.name and workload.seq_len not in (None, positions):
        raise ConfigError(
            f"seq_len {workload.seq_len}: {name} pads every text to its {positions} positions, leave seq_len out"
        )
    return run(name, part, workload, b, seq_len=positions)


def words_of(step: SubModel, workload: Workload) -> Dim:
    """Returns the tokens of a text, without those that the denoising model is given besides."""
    assert workload.seq_len is not None
    more = MORE_TOKENS.get(step.architecture.name, 0)
    found = workload.seq_len + more
    if has_value(found) and found < 1:
        raise ConfigError(f"seq_len {workload.seq_len} leaves no token beside the {-more} of CLIP's: give more")
    return found


def decoded(vae: SubModel, workload: Workload, b: Builder) -> Value:
    """Adds the autoencoder, whose encoder stays in memory: its decoder makes the picture of latents."""
    coder: Any = import_module(f"{__package__}.{vae.architecture.name.replace('-', '_')}")
    own = of_part(vae, workload)
    aside = Builder("vae", b.operators, b.dtype)
    with aside.inside("vae"):
        latents = coder.encode(vae.config, own, aside)
    reside(b, aside.graph(latents))
    with b.inside("vae", "vae."):
        result: Value = coder.decode(vae.config, own, b, b.input("latents", latents.spec.shape))
    return result


def stated(c: DiffusionPipelineConfig, workload: Workload) -> dict[str, Any]:
    """Returns what the header says: the latents, and that one step is counted."""
    part = c.step[1]
    said = part.architecture.stated
    return {**({} if said is None else said(part.config, of_part(part, workload))), "steps": 1}


ARCHITECTURE = Architecture(
    "diffusion-pipeline",
    DiffusionPipelineConfig,
    build,
    PresetFiles(__file__),
    sizes={name: size(name) for name in ("seq_len", "image_size", "frames")},
    attention=KINDS,
    dtype="float32",
    no_cost={
        **keys.NO_COST,
        **dict.fromkeys(
            ["requires_safety_checker", "force_zeros_for_empty_prompt", "add_watermarker", "boundary_ratio"]
        ),
        "expand_timesteps": (None, False),
    },
    parts_left_out=model_index.ASIDE,
    model_types=(model_index.FAMILY,),
    stated=stated,
    doc="A pipeline's folder: its text encoders, one step of denoising, and the decoder. image_size is in pixels.",
)
