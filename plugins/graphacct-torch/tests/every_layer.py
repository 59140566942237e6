"""Every class of torch.nn for the sweep, small, with its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

torch.manual_seed(0)
ROWS = torch.rand(3, 6)
SIGNAL = torch.rand(2, 4, 8)
IMAGE = torch.rand(2, 4, 6, 6)
VOLUME = torch.rand(2, 4, 4, 4, 4)
SEQUENCE = torch.rand(7, 3, 6)
IDS = torch.zeros(3, 4, dtype=torch.int64)
LINE, OFFSETS, ENDS = torch.zeros(7, dtype=torch.int64), torch.tensor([0, 2, 4]), torch.tensor([0, 2, 4, 7])
CLASSES, SIGNS = torch.tensor([0, 2, 1]), torch.ones(3, 6)
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[torch.Tensor, ...]]] = {}


def add(name: str, make: Callable[[], nn.Module], *inputs: torch.Tensor) -> None:
    """Adds a case; its name begins with the class's."""
    assert name not in LAYERS, name
    LAYERS[name] = make, inputs


class Unpooled(nn.Module):
    """Maxima put back where they were."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.pool = getattr(nn, f"MaxPool{rank}d")(2, return_indices=True)
        self.back = getattr(nn, f"MaxUnpool{rank}d")(2)

    def forward(self, x: Any) -> Any:
        return self.back(*self.pool(x))


ACTIVATIONS = (
    "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid Mish PReLU ReLU ReLU6 SELU SiLU "
    "Sigmoid Softplus Softshrink Softsign Tanh Tanhshrink RReLU Identity Flatten Dropout AlphaDropout "
    "FeatureAlphaDropout"
)
for _name in ACTIVATIONS.split():
    add(_name, getattr(nn, _name), ROWS)
for _name in ("Softmax", "Softmin", "LogSoftmax"):
    add(_name, lambda _name=_name: getattr(nn, _name)(-1), ROWS)
add("Threshold", lambda: nn.Threshold(0.1, 20), ROWS)
add("Softmax2d", nn.Softmax2d, IMAGE)
for _rank, _x in ((1, SIGNAL), (2, IMAGE), (3, VOLUME)):
    _pools = {
        "AdaptiveAvgPool": (3,),
        "AdaptiveMaxPool": (3,),
        "AvgPool": (2,),
        "MaxPool": (2,),
        "LPPool": (2, 2),
        "BatchNorm": (4,),
        "InstanceNorm": (4,),
        "Conv": (4, 8, 3),
        "ConvTranspose": (4, 8, 3),
        "Dropout": (),
        "LazyBatchNorm": (),
        "LazyInstanceNorm": (),
        "LazyConv": (8, 3),
        "LazyConvTranspose": (8, 3),
        "CircularPad": (1,),
        "ConstantPad": (1, 0.5),
        "ReflectionPad": (1,),
        "ReplicationPad": (1,),
        "ZeroPad": (1,),
    }
    for _name, _args in _pools.items():
        _of = getattr(nn, f"{_name}{_rank}d")
        add(f"{_name}{_rank}d", lambda _of=_of, _args=_args: _of(*_args), _x)
    add(f"MaxUnpool{_rank}d", lambda _rank=_rank: Unpooled(_rank), _x)
    _conv, _back = getattr(nn, f"Conv{_rank}d"), getattr(nn, f"ConvTranspose{_rank}d")
    add(f"Conv{_rank}d circular", lambda _conv=_conv: _conv(4, 8, 3, padding=1, padding_mode="circular"), _x)
    add(f"Conv{_rank}d same", lambda _conv=_conv: _conv(4, 8, 2, padding="same"), _x)
    add(f"ConvTranspose{_rank}d stride", lambda _back=_back: _back(4, 8, 3, stride=2, output_padding=1), _x)
    _norm, _batch = getattr(nn, f"InstanceNorm{_rank}d"), getattr(nn, f"BatchNorm{_rank}d")
    add(f"InstanceNorm{_rank}d all", lambda _norm=_norm: _norm(4, affine=True, track_running_stats=True), _x)
    add(f"BatchNorm{_rank}d plain", lambda _batch=_batch: _batch(4, affine=False), _x)
    add(f"BatchNorm{_rank}d plain eval", lambda _batch=_batch: _batch(4, affine=False).eval(), _x)
    add(f"BatchNorm{_rank}d without state", lambda _batch=_batch: _batch(4, track_running_stats=False), _x)
add("FractionalMaxPool2d", lambda: nn.FractionalMaxPool2d(2, output_size=3), IMAGE)
add("FractionalMaxPool3d", lambda: nn.FractionalMaxPool3d(2, output_size=2), VOLUME)
add("Bilinear", lambda: nn.Bilinear(6, 6, 5), ROWS, ROWS.flip(0))
add("Linear", lambda: nn.Linear(6, 5), ROWS)
add("LazyLinear", lambda: nn.LazyLinear(5), ROWS)
add("ChannelShuffle", lambda: nn.ChannelShuffle(2), IMAGE)
add("PixelShuffle", lambda: nn.PixelShuffle(2), IMAGE)
add("PixelUnshuffle", lambda: nn.PixelUnshuffle(2), IMAGE)
add("Embedding", lambda: nn.Embedding(10, 4, padding_idx=0), IDS)
add("Embedding max_norm", lambda: nn.Embedding(10, 4, max_norm=1.0), IDS)
add("Embedding by frequency", lambda: nn.Embedding(10, 4, scale_grad_by_freq=True), IDS)
for _mode in ("sum", "mean", "max"):
    add(f"EmbeddingBag {_mode}", lambda _mode=_mode: nn.EmbeddingBag(10, 4, mode=_mode), IDS)
    add(f"EmbeddingBag {_mode} offsets", lambda _mode=_mode: nn.EmbeddingBag(10, 4, mode=_mode), LINE, OFFSETS)
    add(
        f"EmbeddingBag {_mode} last",
        lambda _mode=_mode: nn.EmbeddingBag(10, 4, mode=_mode, include_last_offset=True),
        LINE,
        ENDS,
    )
add(
    "EmbeddingBag weights",
    lambda: nn.EmbeddingBag(10, 4, mode="sum", include_last_offset=True),
    LINE,
    ENDS,
    ROWS[0, :1].repeat(7),
)
add("Fold", lambda: nn.Fold((6, 6), 3), torch.rand(2, 36, 16))
add("Unfold", lambda: nn.Unfold(3), IMAGE)
add("GroupNorm", lambda: nn.GroupNorm(2, 4), IMAGE)
add("LayerNorm", lambda: nn.LayerNorm(6), ROWS)
add("LayerNorm two dimensions", lambda: nn.LayerNorm((6, 6)), IMAGE)
add("LayerNorm without bias", lambda: nn.LayerNorm(6, bias=False), ROWS)
add("RMSNorm", lambda: nn.RMSNorm(6), ROWS)
add("RMSNorm two dimensions", lambda: nn.RMSNorm((6, 6)), IMAGE)
add("LocalResponseNorm", lambda: nn.LocalResponseNorm(2), IMAGE)
add("CrossMapLRN2d", lambda: nn.CrossMapLRN2d(2), IMAGE)
add("GRU", lambda: nn.GRU(6, 5), ROWS)
add("GRU deep", lambda: nn.GRU(6, 5, num_layers=2, bidirectional=True, dropout=0.1), SEQUENCE)
add("LSTM", lambda: nn.LSTM(6, 5, num_layers=2, bidirectional=True), SEQUENCE)
add("LSTM projected", lambda: nn.LSTM(6, 5, proj_size=2), SEQUENCE)
add("RNN", lambda: nn.RNN(6, 5), ROWS)
add("RNN relu", lambda: nn.RNN(6, 5, nonlinearity="relu", num_layers=2), SEQUENCE)
for _name in ("GRUCell", "LSTMCell", "RNNCell"):
    add(_name, lambda _name=_name: getattr(nn, _name)(6, 5), ROWS)
_QUERIES, _KEYS = torch.rand(3, 2, 6), torch.rand(4, 2, 6)
add("MultiheadAttention", lambda: nn.MultiheadAttention(6, 2), _QUERIES, _QUERIES.flip(0), _QUERIES.flip(1))
add(
    "MultiheadAttention bias_kv",
    lambda: nn.MultiheadAttention(6, 2, add_bias_kv=True, add_zero_attn=True),
    _QUERIES,
    _KEYS,
    _KEYS,
)
_SOURCE, _TARGET = torch.rand(2, 3, 8), torch.rand(2, 4, 8)
_HOW = {"dim_feedforward": 16, "batch_first": True}
add("Transformer", lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), _SOURCE, _TARGET)
add("TransformerEncoderLayer", lambda: nn.TransformerEncoderLayer(8, 2, **_HOW), _SOURCE)
add(
    "TransformerEncoder",
    lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, norm_first=True, **_HOW), 2),
    _SOURCE,
)
add("TransformerDecoderLayer", lambda: nn.TransformerDecoderLayer(8, 2, **_HOW), _SOURCE, _TARGET)
add("TransformerDecoder", lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, **_HOW), 2), _SOURCE, _TARGET)
add("Unflatten", lambda: nn.Unflatten(1, (2, 3)), ROWS)
for _mode in ("nearest", "bilinear", "bicubic", "nearest-exact", "area"):
    add(f"Upsample {_mode}", lambda _mode=_mode: nn.Upsample(scale_factor=1.5, mode=_mode), IMAGE)
add("Upsample linear", lambda: nn.Upsample(size=9, mode="linear", align_corners=True), SIGNAL)
add("Upsample trilinear", lambda: nn.Upsample(size=9, mode="trilinear"), VOLUME)
add("UpsamplingBilinear2d", lambda: nn.UpsamplingBilinear2d(scale_factor=2), IMAGE)
add("UpsamplingNearest2d", lambda: nn.UpsamplingNearest2d(scale_factor=2), IMAGE)
add("CosineSimilarity", nn.CosineSimilarity, ROWS, ROWS.flip(0))
add("PairwiseDistance", lambda: nn.PairwiseDistance(1.0), ROWS, ROWS.flip(0))
add("AdaptiveLogSoftmaxWithLoss", lambda: nn.AdaptiveLogSoftmaxWithLoss(6, 20, [5, 10]), ROWS, torch.tensor([1, 7, 15]))
OF_PAIRS = (
    "L1Loss MSELoss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss KLDivLoss PoissonNLLLoss MultiLabelSoftMarginLoss "
    "TripletMarginLoss TripletMarginWithDistanceLoss"
)
SOME = torch.tensor([1.0, 2, 3, 4, 5, 6])
_ALIGNED = torch.rand(10, 3, 7), torch.ones(3, 4, dtype=torch.int64), torch.full((3,), 10), torch.full((3,), 4)
for _reduction in ("mean", "sum", "none"):
    _k = {"reduction": _reduction}

    def loss(name: str, *inputs: torch.Tensor, _k: dict[str, Any] = _k, **settings: Any) -> None:
        """Adds a loss with this reduction."""
        of = " ".join((name, _k["reduction"], *settings))
        add(of, lambda: getattr(nn, name)(**_k, **settings), *inputs)

    for _name in OF_PAIRS.split():
        loss(_name, ROWS, ROWS.flip(0), *((ROWS.flip(1),) if "Triplet" in _name else ()))
    loss("CrossEntropyLoss", ROWS, CLASSES)
    loss("CrossEntropyLoss", ROWS, CLASSES, label_smoothing=0.1)
    loss("CrossEntropyLoss", ROWS, CLASSES, weight=SOME)
    loss("CrossEntropyLoss", ROWS, CLASSES, ignore_index=2)
    loss("CrossEntropyLoss", ROWS, CLASSES, weight=SOME, label_smoothing=0.1)
    loss("NLLLoss", ROWS, CLASSES)
    loss("NLLLoss", ROWS, CLASSES, weight=SOME)
    loss("NLLLoss2d", IMAGE, torch.zeros(2, 6, 6, dtype=torch.int64))
    loss("MarginRankingLoss", ROWS[0], ROWS[1], SIGNS[0])
    loss("HingeEmbeddingLoss", ROWS[0], SIGNS[0])
    loss("CosineEmbeddingLoss", ROWS, ROWS.flip(0), SIGNS[:, 0])
    loss("MultiLabelMarginLoss", ROWS, torch.zeros(3, 6, dtype=torch.int64))
    loss("MultiMarginLoss", ROWS, CLASSES)
    loss("MultiMarginLoss", ROWS, CLASSES, p=2)
    loss("GaussianNLLLoss", ROWS, ROWS.flip(0), SIGNS)
    loss("CTCLoss", *_ALIGNED)
    add(f"CrossEntropyLoss probabilities {_reduction}", lambda _k=_k: nn.CrossEntropyLoss(**_k), ROWS, ROWS.flip(0))
    add(
        f"CrossEntropyLoss of images {_reduction}",
        lambda _k=_k: nn.CrossEntropyLoss(weight=SOME[:4], label_smoothing=0.1, **_k),
        IMAGE,
        torch.zeros(2, 6, 6, dtype=torch.int64),
    )
add("BCELoss weight", lambda: nn.BCELoss(weight=SOME), ROWS, ROWS.flip(0))
add("BCEWithLogitsLoss pos_weight", lambda: nn.BCEWithLogitsLoss(pos_weight=SOME), ROWS, ROWS.flip(0))
add("BCEWithLogitsLoss weight", lambda: nn.BCEWithLogitsLoss(weight=SOME), ROWS, ROWS.flip(0))
add("PoissonNLLLoss full", lambda: nn.PoissonNLLLoss(full=True), ROWS, ROWS.flip(0))
add("KLDivLoss log_target", lambda: nn.KLDivLoss(log_target=True, reduction="batchmean"), ROWS, ROWS.flip(0))
if hasattr(nn, "LinearCrossEntropyLoss"):
    add("LinearCrossEntropyLoss", lambda: nn.LinearCrossEntropyLoss(6, 10), ROWS, CLASSES)
