"""VQModel: pictures to latents and back, each place by the nearest vector of a code book (Rombach et al., 2022)."""

from __future__ import annotations

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_diffusers import keys, latents
from graphacct_diffusers.attention import KINDS
from graphacct_diffusers.autoencoder_kl import CoderConfig, decoder, encoder
from graphacct_diffusers.layers import conv
from graphacct_diffusers.losses import LOSSES

FEW = 25
"""The most rows and codes whose distances torch.cdist takes one by one; more are a product of matrices."""


@frozen(kw_only=True)
class VQModelConfig(CoderConfig):
    """The keys that the cost of an autoencoder with a code book depends on."""

    latent_channels: Dim = fields.size(3)
    num_vq_embeddings: Dim = fields.size(256)
    vq_embed_dim: Dim | None = fields.optional_size()
    norm_type: str = keys.only("group")
    mid_block_add_attention: bool = fields.flag(True)
    lookup_from_codebook: bool = fields.flag(False)

    @property
    def code(self) -> Dim:
        """Channels of a vector of the code book."""
        return self.latent_channels if self.vq_embed_dim is None else self.vq_embed_dim


def build(c: VQModelConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the graph from a picture to the picture that its codes are decoded to, and the loss of the codes."""
    x, loss = quantized(c, b, "quantize", encode(c, workload, b))
    return decoded(c, workload, b, x), loss


def encode(c: VQModelConfig, workload: Workload, b: Builder) -> Value:
    """Returns the latents of a picture, before the nearest vectors are looked up."""
    assert workload.image_size is not None
    x = b.input("sample", (workload.batch, c.in_channels, *workload.image_size))
    x = encoder(c, workload, b, x, c.latent_channels, attended=c.mid_block_add_attention)
    return conv(b, "quant_conv", x, c.code, 1)


def decoded(c: VQModelConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the picture of vectors of the code book."""
    x = conv(b, "post_quant_conv", x, c.latent_channels, 1)
    return decoder(c, workload, b, x, attended=c.mid_block_add_attention)


def quantized(c: VQModelConfig, b: Builder, name: str, x: Value) -> tuple[Value, Value]:
    """Applies VectorQuantizer: each place's nearest vector, whose gradient is the place's own, and the mean squared
    distance of both, with each in turn held fast."""
    batch, channels, height, width = x.spec.shape
    rows = batch * height * width
    with b.scope(name):
        z = b.apply("contiguous", b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1)), name="in_order")
        flat = b.apply("reshape", z, name="flat", shape=(rows, channels))
        codes = b.parameter("embedding.weight", (c.num_vq_embeddings, c.code))
        few = all(has_value(count) and count <= FEW for count in (rows, c.num_vq_embeddings))
        apart = b.apply("cdist" if few else "euclidean_distance", flat, codes, name="distances")
        nearest = b.apply("argmin", apart, name="nearest", dim=1)
        found = b.apply("embedding", nearest, codes, name="embedding")
        found = b.apply("reshape", found, name="vectors", shape=z.spec.shape)
        losses = []
        pairs = {
            "codes": (b.apply("detach", found, name="codes_fast"), z),
            "places": (found, b.apply("detach", z, name="places_fast")),
        }
        for label, given in pairs.items():
            gap = b.apply("square", b.apply("sub", *given, name=f"gap_of_{label}"), name=f"square_of_{label}")
            losses.append(b.apply("mean", gap, name=f"mean_of_{label}"))
        loss = b.apply("add", losses[0], b.apply("scale", losses[1], name="weighted"), name="loss")
        gap = b.apply("detach", b.apply("sub", found, z, name="gap"), name="gap_fast")
        y = b.apply("permute", b.apply("add", z, gap, name="vectors_of_place"), name="map", dims=(0, 3, 1, 2))
        return b.apply("contiguous", y, name="map_in_order"), loss


ARCHITECTURE = Architecture(
    "vq-model",
    VQModelConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": latents.sides},
    attention=KINDS,
    dtype="float32",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("VQModel",),
    doc="An autoencoder of pictures with a code book: encodes image_size pixels, and decodes the nearest vectors.",
)
