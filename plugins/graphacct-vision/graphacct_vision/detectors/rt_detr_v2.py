"""RT-DETR V2: RT-DETR under its own classes (Lv et al., 2024, arXiv:2407.17140)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import ConfigError, DeclinedError, Dim, PresetFiles, equal, fields, frozen
from graphacct_vision.detectors.rt_detr import ENDS, RTDetrConfig, family

CLASSES = tuple(f"RTDetrV2{end}" for end in ENDS)


@frozen(kw_only=True)
class RTDetrV2Config(RTDetrConfig):
    """The keys of the published config.json that the cost depends on."""

    SCALED: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    decoder_n_levels: Dim = fields.size(3)
    decoder_method: str = fields.choice("default", ("default", "discrete"))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.decoder_method == "discrete":
            raise DeclinedError(
                "decoder_method is 'discrete', which is not modelled: places that are read instead of sampled"
            )
        if self.decoder_layers == 1 and self.tie_word_embeddings and self.architectures == CLASSES[1]:
            raise ConfigError(
                "decoder_layers is 1: the library's class cannot tie one layer's head; set tie_word_embeddings to false"
            )
        if not equal(self.decoder_n_levels, self.num_feature_levels):
            raise ConfigError(
                f"decoder_n_levels is {self.decoder_n_levels}, but num_feature_levels is {self.num_feature_levels}"
            )


ARCHITECTURE = family(
    "rt_detr_v2",
    RTDetrV2Config,
    PresetFiles(__file__),
    "RT-DETR V2: RT-DETR under its own classes, with its points' weights.",
)
