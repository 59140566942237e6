"""The keys of OpenCLIP's towers: `vision_cfg`, `text_cfg` and a captioner's `multimodal_cfg` (open_clip's `model.py`
and `coca_model.py`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, DeclinedError, Dim, SubModel, brief, fields, frozen
from graphacct_vision.multimodal.modified_resnet import STAGES

POOLS = ("tok", "avg", "none")
TEXT_POOLS = ("argmax", "first", "last", "eos", "none")
BLOCKS = ("default", "custom")
"""Both have the same parameters and products; what only the second can have is refused by its own key."""
HF_TYPES = ("roberta", "xlm-roberta", "mt5", "bert", "m2m_100")
"""The text models of the transformers library that open_clip knows (its `hf_configs.py`)."""
HF_POOLERS = ("mean_pooler", "cls_pooler", "cls_last_hidden_state_pooler")
"""Its fourth, max_pooler, fills where a mask of numbers says, which torch refuses."""
TIMM_POOLS = ("", "avg", "token", "map")


def _layers() -> Any:
    """Returns the key `layers`: how many, or those of a ResNet's four stages."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if type(value) is int and 0 < value < 10_000:
            return value
        if (
            not isinstance(value, (list, tuple))
            or len(value) != STAGES
            or not all(type(item) is int and 0 < item < 1000 for item in value)
        ):
            raise ConfigError(
                f"{field.name} is {brief(value)}, neither a number of layers nor those of {STAGES} stages"
            )
        return tuple(value)

    return fields.checked_field(check, 12, metadata=fields.SIZED)


def _ratio() -> Any:
    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1000:
            raise ConfigError(f"{field.name} is {brief(value)}, not the network's width over the tower's")
        return float(value)

    return fields.checked_field(check, 4.0)


def _settings(options: Mapping[str, Any]) -> Any:
    """Returns a key with the arguments of a module; `options` are those that are read and what each may be."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if value is not None and not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object of settings, not {brief(value)}")
        for key, held in (value or {}).items():
            if key not in options or not options[key](held):
                raise ConfigError(
                    f"{field.name} has {key} {brief(held)}, which is not read here: {', '.join(options)} is"
                )
        return value

    return fields.checked_field(check, None, metadata={**fields.OPTIONAL, "settings": tuple(options)})


def _name(what: str) -> Any:
    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        if value is not None and not (isinstance(value, str) and value):
            raise ConfigError(f"{field.name} is the name of {what}, not {brief(value)}")
        return value

    return fields.checked_field(check, None, metadata=fields.OPTIONAL_SIZE)


def _optional_choice(default: str | None, options: tuple[str, ...], *, empty: bool = False) -> Any:
    """Returns a key that is one of the options or null; `empty` stands for null too."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        if value is None or (empty and value == ""):
            return None
        if value not in options:
            raise ConfigError(f"{field.name} cannot be {brief(value)}: {', '.join(map(repr, options))} are read")
        assert isinstance(value, str)
        return value

    return fields.checked_field(check, default, metadata=fields.OPTIONAL)


def _text_model(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that open_clip has no text tower of."""
    if not set(architecture.model_types) & set(HF_TYPES):
        name = architecture.model_types[0] if architecture.model_types else architecture.name
        raise DeclinedError(f"{key}.model_type is {name!r}, which open_clip does not read: {', '.join(HF_TYPES)} are")


def pool_of(model: SubModel, name: str) -> str:
    """Returns how a model of timm's pools unless it is told otherwise: as its description says, or its kind does."""
    said = getattr(getattr(model.config, "model", None), "pool", None)
    if said is not None:
        return str(said)
    return "token" if re.match(r"(vit|deit)_", name) else "avg"


@frozen(kw_only=True)
class Layers:
    """The keys of all towers."""

    mlp_ratio: float = _ratio()
    ls_init_value: float | None = fields.optional_probability()
    output_tokens: bool = fields.flag(False)
    act_kwargs: Any = _settings({"approximate": lambda value: value in ("none", "tanh")})
    norm_kwargs: Any = _settings({"eps": lambda value: type(value) in (int, float)})
    block_type: str | None = _optional_choice(None, BLOCKS)
    qk_norm: bool = fields.always(False)
    scaled_cosine_attn: bool = fields.always(False)
    scale_heads: bool = fields.always(False)
    scale_attn_inner: bool = fields.always(False)
    scale_attn: bool = fields.always(False)
    scale_fc: bool = fields.always(False)

    def act(self, *, quick: bool) -> str:
        """Returns the networks' operator; `quick` says that the file has quick_gelu."""
        if quick and self.act_kwargs is not None:
            raise ConfigError("act_kwargs beside quick_gelu, whose class takes none: leave one of them out")
        if quick:
            return "quick_gelu"
        return "gelu_tanh" if (self.act_kwargs or {}).get("approximate") == "tanh" else "gelu"


@frozen(kw_only=True)
class VisionCfg(Layers):
    """The image tower's keys that the cost depends on."""

    layers: Any = _layers()
    width: Dim = fields.size(768)
    head_width: Dim = fields.size(64)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    no_ln_pre: bool = fields.flag(False)
    pool_type: str = fields.choice("tok", POOLS)
    pos_embed_type: str = fields.choice("learnable", ("learnable", "sin_cos_2d"))
    final_ln_after_pool: bool = fields.flag(False)
    attentional_pool: bool = fields.flag(False)
    attn_pooler_queries: Dim = fields.size(256)
    attn_pooler_heads: Dim = fields.size(8)
    patch_dropout: float = fields.probability(0.0)
    timm_model_name: str | None = _name("a model of timm's")
    timm_model: SubModel | None = fields.model(
        "timm_wrapper", optional=True, prepare=lambda content: {**content, "architectures": ["timm"]}
    )
    timm_pool: str | None = _optional_choice("avg", TIMM_POOLS, empty=True)
    timm_proj: str | None = _optional_choice("linear", ("linear", "mlp", "none"), empty=True)
    timm_proj_bias: bool = fields.flag(False)
    timm_drop: float = fields.probability(0.0)
    timm_drop_path: float | None = fields.optional_probability()

    def __attrs_post_init__(self) -> None:
        name, pool = self.timm_model_name, self.timm_pool
        if name is None:
            return
        if self.patch_dropout:
            raise DeclinedError(f"patch_dropout is {self.patch_dropout}, which is not read of timm's models")
        assert self.timm_model is not None  # the file's keys are prepared so
        if self.timm_model.config.encoder:
            raise DeclinedError(f"timm_model_name is {brief(name)}, which pools nothing: a tower has one row an image")
        kept = pool is None and self.timm_proj in ("linear", "mlp")  # the model's own, whichever it is
        own = pool_of(self.timm_model, name)
        if not kept and pool != own:
            raise DeclinedError(
                f"timm_pool is {brief(pool or '')}, and {brief(name)} is read with its own, {own!r}: open_clip makes "
                "it another model"
            )


@frozen(kw_only=True)
class TextCfg(Layers):
    """The text tower's keys that the cost depends on. `hf_model_config` has the keys of the config.json of the model
    that `hf_model_name` names; open_clip downloads them."""

    layers: Dim = fields.size(12)
    context_length: Dim = fields.size(77)
    vocab_size: Dim = fields.size(49408)
    width: Dim = fields.size(512)
    heads: Dim = fields.size(8)
    pool_type: str = fields.choice("argmax", TEXT_POOLS)
    no_causal_mask: bool = fields.flag(False)
    proj_bias: bool = fields.flag(False)
    proj_type: str = fields.choice("linear", ("linear", "none"))
    embed_cls: bool = fields.flag(False)
    hf_model_name: str | None = _name("a model of the transformers library")
    hf_model_config: SubModel | None = fields.model("roberta", optional=True, fits=_text_model)
    hf_proj_type: str | None = _optional_choice("mlp", ("linear", "mlp"))
    hf_pooler_type: str | None = _optional_choice("mean_pooler", HF_POOLERS)

    @property
    def text_model(self) -> SubModel | None:
        """The text model of the transformers library, if it is one. Raises DeclinedError without its sizes."""
        if self.hf_model_name is not None and self.hf_model_config is None:
            raise DeclinedError(
                f"text_cfg.hf_model_name is {brief(self.hf_model_name)}, which no preset has: give the keys of that "
                "model's config.json as text_cfg.hf_model_config in the file"
            )
        return None if self.hf_model_name is None else self.hf_model_config


@frozen(kw_only=True)
class MultimodalCfg:
    """The keys of a captioner's decoder that the cost depends on. Its class takes no others of a text tower's: the
    network is always four times as wide."""

    layers: Dim = fields.size(12)
    context_length: Dim = fields.size(77)
    width: Dim = fields.size(512)
    heads: Dim = fields.size(8)
    ls_init_value: float | None = fields.optional_probability()
