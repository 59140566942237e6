"""The ResNet family against measured and published figures (goldens/README.md says where they come from)."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sympy

import graphacct
from graphacct import ConfigError, Report, prod
from graphacct.graph.paths import pattern

GOLDENS = Path(__file__).parent / "goldens"
TRUTH = json.loads((GOLDENS / "resnet50.json").read_text(encoding="utf-8"))
PUBLISHED = json.loads((GOLDENS / "torchvision.json").read_text(encoding="utf-8"))["models"]
CASES = [pytest.param(case, id=f"batch{case['batch']}-image{case['image']}") for case in TRUTH["forward"]]


@cache
def resnet50(batch: int = 1, image: int = 224) -> Report:
    return graphacct.account("resnet50", batch=batch, image_size=image)


def test_resnet50_is_exactly_the_published_model() -> None:
    """conv 8,174,272,512 and fc 2 * 2048 * 1000 = 4,096,000 FLOPs are 4,089,184,256 MACs (torchvision's 4.09 G)."""
    report = resnet50()
    assert report.total["params"] == 25_557_032
    assert report.total["param_bytes"] == 4 * 25_557_032
    assert report.total["matmul_flops"] == 8_174_272_512 + 4_096_000
    assert report.total["macs"] == 4_089_184_256
    assert str(report.coverage) == f"{report.coverage.total} of {report.coverage.total} nodes costed"


@pytest.mark.parametrize("case", CASES)
def test_every_total_is_what_torch_counts(case: dict[str, Any]) -> None:
    """The convention `exact` has the same contractions as torch's counter, in total and by operator."""
    report = resnet50(case["batch"], case["image"])
    assert report.total["matmul_flops"] == case["total"]
    by_operator = {row.path: row.values["matmul_flops"] for row in report.by_operator}
    assert by_operator["convolution"] == case["by_op"]["aten.convolution"]
    assert by_operator["linear"] == case["by_op"]["aten.addmm"]
    assert report.annotated.graph.outputs[0].spec.shape == tuple(case["outputs"][0])


@pytest.mark.parametrize("case", CASES)
def test_every_module_is_what_torch_counts(case: dict[str, Any]) -> None:
    """Each module's FLOPs are equal to the unit; a container whose only child is indexed has its child's row."""
    report = resnet50(case["batch"], case["image"])
    rows = {row.path: row for row in report.by_scope}
    compared = 0
    for path, (flops, modules) in case["by_module"].items():
        if path == "(root)":
            continue
        row = rows[path if path in rows else f"{path}.*"]
        assert row.values["matmul_flops"] == flops, path
        if path in rows and not path.endswith("downsample.*"):  # torch lists modules with FLOPs, not the batch norm
            assert row.repeat == modules, path
        compared += 1
    assert compared == 30


def test_every_parameter_has_the_checkpoints_name_and_shape() -> None:
    """Names with indices as `*`, elements, number of tensors and shape are those of the real model's parameters."""
    elements: Counter[str] = Counter()
    tensors: Counter[str] = Counter()
    shapes: dict[str, set[tuple[int, ...]]] = {}
    for row in resnet50().by_parameter:
        if not row.parameter.buffer:
            name, shape = pattern(row.parameter.name), row.parameter.spec.shape
            elements[name] += prod(shape) * row.count
            tensors[name] += row.count
            shapes.setdefault(name, set()).add(shape)
    expected = TRUTH["params"]["by_parameter_pattern"]
    assert sorted(elements) == sorted(expected)
    for name, truth in expected.items():
        assert (elements[name], tensors[name]) == (truth["params"], truth["tensors"]), name
        assert truth["shape"] == ("varies" if len(shapes[name]) > 1 else list(*shapes[name])), name


def test_the_running_statistics_are_buffers() -> None:
    """53 batch norms have 26,560 channels: two statistics each and 53 counts are 53,173 elements, and no parameters."""
    buffers = [row for row in resnet50().by_parameter if row.parameter.buffer]
    truth = TRUTH["params"]["buffers"]
    assert sum(prod(row.parameter.spec.shape) * row.count for row in buffers) == truth["elements"] == 2 * 26_560 + 53
    assert set(truth["names"]) <= {pattern(row.parameter.name) for row in buffers}
    counts = [row for row in buffers if row.parameter.name.endswith("num_batches_tracked")]
    assert sum(row.count for row in counts) == 53
    assert {str(row.parameter.spec) for row in counts} == {"int64[]"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_preset_has_its_published_size(name: str) -> None:
    """Parameters are torchvision's to the unit; multiply-adds round to the two places it prints."""
    total = graphacct.account(name).total
    assert total["params"] == PUBLISHED[name]["num_params"]
    assert round(total["macs"] / 1e9, 2) == PUBLISHED[name]["GFLOPS"]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_folded_equals_unrolled(name: str) -> None:
    """Every quantity is the same when each block is written out, and so are the names of the checkpoint."""
    folded = graphacct.account(name)
    flat = graphacct.account(folded.annotated.graph.unroll())
    assert flat.total == folded.total
    names = {row.parameter.name for row in flat.by_parameter}
    assert {"conv1.weight", "bn1.running_mean", "layer1.1.conv1.weight", "layer4.1.bn2.num_batches_tracked"} <= names
    assert {"layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias", "fc.weight", "fc.bias"} <= names
    # torchvision's state_dict: a weight for each of 53 (20) convolutions, 5 tensors for each batch norm, 2 for fc.
    assert len(names) == {"resnet18": 20 * 6 + 2, "resnet50": 53 * 6 + 2}[name]


def test_equal_blocks_fold() -> None:
    """A stage is its first block and one repeat; where the first changes no shape, the repeat is all of it."""
    repeats = {node.name: (node.repeat, node.start) for node in graphacct.build("resnet152").nodes if "*" in node.name}
    assert repeats == {"layer1.*": (2, 1), "layer2.*": (7, 1), "layer3.*": (35, 1), "layer4.*": (2, 1)}
    repeats = {node.name: (node.repeat, node.start) for node in graphacct.build("resnet18").nodes if "*" in node.name}
    assert repeats == {"layer1.*": (2, 0), "layer2.*": (1, 1), "layer3.*": (1, 1), "layer4.*": (1, 1)}


def test_a_stage_of_one_block_has_no_repeat() -> None:
    """depths 1, 1, 1, 1 is a model of four first blocks."""
    graph = graphacct.build("resnet50", set={"depths": (1, 1, 1, 1)})
    assert not [node.name for node in graph.nodes if "*" in node.name]


def test_depths_may_be_written_as_text() -> None:
    """The command line's --set gives text: 3,4,23,3 is ResNet-101."""
    assert graphacct.account("resnet50", set={"depths": "3,4,23,3"}).total["params"] == 44_549_160


def test_sizes_may_be_symbols() -> None:
    """Batch, classes and a stage's depth as symbols give the formula whose value is the count."""
    batch, classes, depth = sympy.symbols("batch classes depth", integer=True, positive=True)
    total = graphacct.account("resnet50", batch=batch, set={"num_classes": classes, "depths": (3, 4, depth, 3)}).total
    for name, values in (("resnet50", (1, 1000, 6)), ("resnet101", (8, 1000, 23))):
        at = dict(zip((batch, classes, depth), values, strict=True))
        expected = graphacct.account(name, batch=values[0]).total
        for quantity in ("params", "matmul_flops", "vector_flops", "read_bytes", "activation_bytes"):
            assert sympy.sympify(total[quantity]).subs(at) == expected[quantity], quantity


def test_the_image_size_may_be_a_height_and_a_width() -> None:
    """The work is proportional to the positions: 448 x 224 has twice those of 224 x 224 in every convolution."""
    wide = graphacct.account("resnet50", image_size=(448, 224))
    assert wide.total["matmul_flops"] == 2 * 8_174_272_512 + 4_096_000


def test_training_takes_the_batchs_statistics() -> None:
    """Each element that passes a batch norm costs 7 instead of 2, each of the 26,560 channels 11 instead of 5."""
    elements = (
        112 * 112 * 64
        + 56 * 56 * (3 * (64 + 64 + 256) + 256)
        + 56 * 56 * 128 + 28 * 28 * (128 + 512 + 512 + 3 * (128 + 128 + 512))
        + 28 * 28 * 256 + 14 * 14 * (256 + 1024 + 1024 + 5 * (256 + 256 + 1024))
        + 14 * 14 * 512 + 7 * 7 * (512 + 2048 + 2048 + 2 * (512 + 512 + 2048))
    )  # fmt: skip
    assert round(elements / 1e6, 1) == 11.1  # M activations, as Radosavovic et al. (2020) state for ResNet-50
    trained = graphacct.account("resnet50", set={"training": True})
    more = trained.total["vector_flops"] - resnet50().total["vector_flops"]
    assert more == (7 - 2) * elements + (11 - 5) * 26_560
    assert trained.total["macs"] == resnet50().total["macs"]
    step = graphacct.account("resnet50", phase="train")
    assert step["bn1"].values["forward_flops"] == trained["bn1"].values["flops"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"block": "botleneck"}, "did you mean 'bottleneck'"),
        ({"depths": (3, 4, 6)}, "depths are 4 counts"),
        ({"depths": "3,4,six,3"}, "depths must be an integer, not 'six'"),
        ({"depths": 4}, "depths are 4 counts"),
        ({"depths": (3, 4, 0, 3)}, r"depths must be positive and below 2\*\*63, not 0"),
        ({"width": 0}, "width must be positive"),
        ({"block": "basic", "groups": 2}, "basic blocks take groups 1"),
        ({"width": 10, "width_per_group": 5}, "planes . width_per_group / 64: 50 is not divisible by 64"),
        ({"widht": 64}, "did you mean 'width'"),
    ],
)
def test_a_configuration_that_cannot_be_is_named(override: dict[str, Any], message: str) -> None:
    """Each error names the key and the value."""
    with pytest.raises(ConfigError, match=message):
        graphacct.build("resnet50", set=override)


def test_it_takes_no_sequence_length() -> None:
    """A size that means nothing to a model of images is refused, not ignored."""
    with pytest.raises(ConfigError, match="resnet has no seq_len"):
        graphacct.build("resnet50", seq_len=16)
