"""The file of a processor beside a config.json: the sizes that it states become the workload's defaults."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from draws import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import graphacct
from graphacct.readers.preprocessor import stated_sizes

FILE = "preprocessor_config.json"
TEXT = {
    **{"model_type": "llama", "vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 512},
}
TOWER = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 3, "patch_size": 8}
MODEL = {
    **{"model_type": "idefics3", "text_config": TEXT, "vision_config": {**TOWER, "image_size": 32}, "scale_factor": 2},
    "architectures": ["Idefics3ForConditionalGeneration"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(MODEL))
    return tmp_path


def beside(folder: Path, content: Any, name: str = FILE) -> str:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"size": {"height": 16, "width": 24}}, {"image_size": (16, 24)}),
        ({"size": 48}, {"image_size": (48, 48)}),
        ({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": True}, {"image_size": (224, 224)}),
        ({"size": 256, "crop_size": 224, "do_center_crop": False}, {"image_size": (256, 256)}),
        ({"size": {"shortest_edge": 800, "longest_edge": 1333}}, {}),
        ({"size": 800, "max_size": 1333}, {}),
        ({"size": [1920, 2560]}, {}),
        ({"size": {"height": 16, "width": 16}, "do_resize": False}, {}),
        (
            {"size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}, "do_pad": True},
            {"image_size": (64, 64)},
        ),
        ({"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}, {"image_size": (32, 32)}),
        (
            {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}, "do_image_splitting": True},
            {"image_size": (32, 32), "tiles": 5},
        ),
        (
            {"size": {"height": 560, "width": 560}, "max_image_tiles": 4},
            {"image_size": (560, 560), "tiles": 4},
        ),
        ({"nb_max_frames": 3000, "n_samples": 480000}, {"frames": 3000, "samples": 480000}),
        ({"max_length": 1024, "num_mel_bins": 128}, {"frames": 1024}),
        ({"num_frames": 16}, {"frames": 16}),
        ({"image_mean": [0.5, 0.5, 0.5], "do_normalize": True}, {}),
    ],
)
def test_what_is_stated(content: dict[str, Any], expected: dict[str, Any], tmp_path: Path) -> None:
    """The size after cropping, padding or resizing, the tiles of a square picture, frames and samples; a size that
    follows from the picture alone is none."""
    assert stated_sizes(beside(tmp_path, content)) == (expected, FILE if expected else "")


def test_a_file_of_several_processors(tmp_path: Path) -> None:
    """Each is an object of it."""
    content = {"image_processor": {"size": 48}, "feature_extractor": {"nb_max_frames": 30}, "processor_class": "Some"}
    found = stated_sizes(beside(tmp_path, content, "processor_config.json"))
    assert found == ({"image_size": (48, 48), "frames": 30}, "processor_config.json")


def test_defaults_of_a_model(folder: Path) -> None:
    """A workload has them unless it says otherwise, and the report says where they come from."""
    content = {"size": {"longest_edge": 32}, "max_image_size": {"longest_edge": 16}, "do_image_splitting": True}
    plain = graphacct.account(folder, seq_len=64)
    assert plain.workload["image_size"] == (32, 32)
    assert "config" not in " ".join(plain.config_keys.notes())
    stated = graphacct.account(beside(folder, content), seq_len=64)
    assert (stated.workload["image_size"], stated.workload["tiles"]) == ((16, 16), 5)
    assert stated.config_keys.notes() == (f"sizes: image_size 16×16, tiles 5 as {FILE} says",)
    assert "sizes: image_size 16×16, tiles 5" in str(stated)
    mine = graphacct.account(folder, seq_len=64, tiles=1, image_size=(32, 32))
    assert mine.config_keys.notes() == ()
    assert mine.total == plain.total
    whole = graphacct.account({**MODEL}, seq_len=64, image_size=16, tiles=5)
    assert whole.total == stated.total


def test_a_text_needs_no_processor(tmp_path: Path) -> None:
    """The file of a tokenizer's folder is not looked at."""
    (tmp_path / "config.json").write_text(json.dumps(TEXT))
    assert graphacct.account(beside(tmp_path, "no JSON"), seq_len=8).total["params"] > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", f"{FILE}: is no JSON"),
        ([], f"{FILE}: is [], not an object with the keys of a processor"),
        ({"size": "big"}, f"{FILE}: size is a positive whole number, not 'big'"),
        ({"size": {"height": -1, "width": 4}}, f"{FILE}: size.height is a positive whole number, not -1"),
        ({"size": {"side": 4}}, "{'side': 4}: a height and a width, a shortest_edge or one number"),
        ({"do_center_crop": "yes"}, f"{FILE}: do_center_crop is 'yes', not true or false"),
        ({"max_image_tiles": True}, f"{FILE}: max_image_tiles is a positive whole number, not True"),
        ({"max_image_size": {"longest_edge": 0.5}}, "max_image_size.longest_edge is a positive whole number, not 0.5"),
    ],
)
def test_what_is_refused(content: Any, message: str, folder: Path) -> None:
    """The file, the key and its value."""
    with pytest.raises(graphacct.ReadError) as error:
        graphacct.account(beside(folder, content), seq_len=64)
    assert message in str(error.value)


def test_a_size_that_does_not_fit_names_the_file(folder: Path) -> None:
    """The error says which sizes were not the user's."""
    with pytest.raises(graphacct.ConfigError) as error:
        graphacct.account(beside(folder, {"size": 320}), seq_len=64)
    assert f"\nimage_size as {FILE} says: another size of the workload is taken instead" in str(error.value)


EDGES = st.sampled_from(("height", "width", "shortest_edge", "longest_edge"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(EDGES | st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
KEYS = st.sampled_from(
    (
        *("size", "crop_size", "pad_size", "max_image_size", "do_center_crop", "do_pad", "do_resize", "max_length"),
        *("do_image_splitting", "max_image_tiles", "num_frames", "nb_max_frames", "n_samples", "num_mel_bins"),
    )
)


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_file_is_read_or_refused(content: dict[str, Any], folder: Path) -> None:
    """A mutated file ends in a report or in an error of ours."""
    with contextlib.suppress(graphacct.GraphacctError):
        graphacct.account(beside(folder, content), seq_len=400)
