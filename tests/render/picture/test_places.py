"""Where boxes stand in a layout."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from graphacct import Builder, Report, account
from graphacct.hooks.manager import default
from graphacct.render.picture import legend, markup, svg
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.places import after_merge, columns, towers
from graphacct.render.picture.scene import STRAIGHT
from graphacct.render.picture.stage import scene

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def llama() -> Report:
    return account("llama-3-8b", quantities=["params", "flops"])


@pytest.fixture(scope="module")
def t5() -> Report:
    return account("t5-base", quantities=["params", "flops"])


def names(picture: str) -> dict[str, tuple[float, float]]:
    """Where the name of each box begins, the last of a name."""
    return {
        (text.text or "").split()[0]: (float(text.attrib["x"]), float(text.attrib["y"]))
        for text in ElementTree.fromstring(picture).iter(f"{SVG}text")
        if (text.text or "").strip()
    }


def test_projections_of_one_value_stand_in_a_row_in_their_order(llama: Report) -> None:
    """q, k and v, though k has a rotation to go through first; gate and up too. Their boxes look alike."""
    at = names(svg(llama))
    for row in (["q_proj", "k_proj", "v_proj"], ["q_rope", "k_rope"], ["gate_proj", "up_proj"]):
        assert sorted(row, key=lambda name: at[name]) == row
        assert len({at[name][1] for name in row}) == 1
    mixtral = account("mixtral-8x7b", quantities=["params", "flops"])
    lines = drawn(mixtral).source.splitlines()
    assert all("ROWSPAN" in line for line in lines if re.search("<B>[qkv]_proj</B>", line)), "of 2.5 % and of 0.6 %"


def test_rows_are_in_order_where_arrows_then_cross(llama: Report) -> None:
    """With rotary tables open, fewer arrows would cross in another order."""
    at = names(svg(llama, depth=4))
    for row in (["q_proj", "k_proj", "v_proj"], ["cos", "sin"], ["q_rope", "k_rope"]):
        assert sorted(row, key=lambda name: at[name]) == row


def test_what_merges_two_inputs_stands_below_both() -> None:
    """LLaVA's image is merged into its text; what follows is one column, which is not below the image's tower."""
    at = names(svg(account("llava-1.5-7b", quantities=["params", "flops"])))
    assert at["language_model.embed_tokens"][0] < at["images_merged"][0] < at["vision_tower"][0]
    llava = scene(account("llava-1.5-7b", quantities=["params", "flops"]), default(), 2)
    known = {box.id: box.path.rpartition(".")[2] for box in llava.boxes}
    assert known[after_merge(llava)[0]] == "images_merged"
    for name in ("gpt2", "dit-xl-2-256"):  # a step that each layer uses is not merged
        found = scene(account(name, quantities=["params", "flops"]), default())
        assert after_merge(found) == found.spine()


def test_what_looks_alike_stands_in_its_order() -> None:
    """A cosine and a sine, of one shape and the same figures, though they are two operators."""
    at = names(svg(account("deepseek-v3", quantities=["params", "flops"]), depth=3))
    for name in ("", "_scaled", "_table"):
        (left, row), (right, other) = at[f"cos{name}"], at[f"sin{name}"]
        assert (left < right, row) == (True, other)


def test_rows_make_no_circle() -> None:
    """a and b, of the input, would be a row, and c and d too; but c comes after a, and b after d."""
    builder = Builder("crossed")
    x = builder.input("x", (4,))
    relu = lambda value, name: builder.apply("relu", value, name=name)  # noqa: E731
    y = builder.apply("tanh", x, name="y")
    a = relu(x, "a")
    c = builder.apply("add", y, a, name="c")
    d = builder.apply("add", y, y, name="d")
    b = builder.apply("relu", builder.apply("add", x, d, name="both"), name="b")
    found = scene(account(builder.graph(builder.apply("mul", c, b, name="end"))), default(), 9)
    known = {box.id: box.path for box in found.boxes}
    rows = [tuple(known[name] for name in row) for row in found.fans()]
    assert rows == [("c", "d")]


def test_what_all_repetitions_use_stands_above_the_block(llama: Report) -> None:
    """Beside it the rotary tables would make the picture wider."""
    at = names(svg(llama))
    assert at["rotary_emb"][1] < at["layers.*"][1]
    width, height = markup.dimensions(svg(llama))
    assert width < height


def test_the_main_path_is_the_one_with_the_most_work() -> None:
    """A U-Net's is that of its sample, though its step goes through more boxes; of two as long the one with more."""
    for name, first in (("stable-diffusion-v1-5-unet", "conv_in"), ("zamba2-1.2b", "model.layers.*")):
        found = scene(account(name, quantities=["params", "flops"]), default(), 2)
        known = {box.id: box.path for box in found.boxes}
        assert first in [known[name] for name in found.spine()]


def test_an_encoder_and_its_decoder_stand_beside_each_other(t5: Report) -> None:
    """So that they fit a slide: the text is larger than 6.5 points there."""
    picture = svg(t5)
    found = scene(t5, default())
    known = {box.id: box.path for box in found.boxes}
    (across,) = towers(found)
    edge = found.edges[across]
    assert known[edge.tail] == "encoder.final_layer_norm"
    assert known[edge.head].startswith("decoder.block.*.layer.1")
    at = names(picture)
    assert at["encoder"][0] < at["decoder"][0]
    assert abs(at["encoder"][1] - at["decoder"][1]) < 1
    assert abs(at["input_ids"][1] - at["decoder_input_ids"][1]) < 1
    width, height = markup.dimensions(picture)
    assert 9 * min(960 / width, 540 / height) > 6.5


def test_a_decoder_is_a_column_as_its_encoder_is() -> None:
    """Though the main path comes in from the encoder."""
    found = scene(account("whisper-small", quantities=["params", "flops"]), default(), 3)
    known = {box.id: box.path.removeprefix("model.") for box in found.boxes}
    weights = {tuple(known[end] for end in ends): weight for ends, weight in columns(found, towers(found)).items()}
    assert weights["encoder.conv1", "encoder.conv1_act"] == weights["decoder.embed_tokens", "decoder.embed"] == STRAIGHT
    assert weights["decoder_input_ids", "decoder.embed_tokens"] > STRAIGHT, "or the decoder could hang lower"


def test_a_bias_that_is_only_stored_stands_beside_what_runs_next() -> None:
    """Below it BERT's output would have to go around it."""
    for depth in (None, 3, 4):
        at = names(svg(account("bert-base-uncased", quantities=["params", "flops"]), depth=depth))
        assert abs(at["stored_bias"][1] - at["decoder"][1]) < 20
        assert at["stored_bias"][0] > at["decoder"][0]


def test_stages_that_follow_each_other_are_no_towers() -> None:
    """Nor are a U-Net's: its skips join what depends on them by the stages between."""
    for name in ("hf-resnet-50", "stable-diffusion-v1-5-unet", "llama-3-8b"):
        assert towers(scene(account(name, quantities=["params", "flops"]), default(), 2)) == set()


def test_a_caption_breaks_between_facts_in_lines_of_one_length() -> None:
    """Rather than leave one word in the last."""
    facts = ["convention exact", "76 of 76 nodes costed", "batch 1, seq_len 512, encoder_seq_len 512", "summed"]
    lines = [*legend._wrapped(" · ".join(facts), 80)]
    assert lines == [" · ".join(facts[:2]), " · ".join(facts[2:])]
    assert [*legend._wrapped("convention exact · batch 1, seq_len 512, encoder_seq_len 512", 36)] == [
        "convention exact · batch 1,",
        "seq_len 512, encoder_seq_len 512",
    ]
    assert [*legend._wrapped("one " * 30, 80)] == ["one " * 19 + "one", "one " * 9 + "one"]
