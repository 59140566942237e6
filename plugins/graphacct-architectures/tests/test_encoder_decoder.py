"""Models with an encoder: workloads, caches, what a decoding step leaves alone (FLOPs: test_families.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import graphacct
from graphacct import memory
from graphacct.cli import cli
from graphacct.errors import ConfigError
from graphacct.readers.hf import find as described

T5 = {"vocab_size": 97, "d_model": 24, "d_kv": 6, "d_ff": 40, "num_heads": 4, "n_positions": 64}
BART = {"vocab_size": 97, "max_position_embeddings": 64, "d_model": 24, "architectures": "BartForConditionalGeneration"}
WHISPER = {"vocab_size": 97, "num_mel_bins": 8, "d_model": 24, "max_source_positions": 20, "max_target_positions": 64}
SIDES = ("encoder", "decoder")
WIDTHS = {f"{side}_{key}": value for side in SIDES for key, value in (("ffn_dim", 40), ("attention_heads", 4))}


def sizes(model: str, encoder: int = 3, decoder: int = 5) -> dict[str, Any]:
    """A tiny model with these layers."""
    if model == "t5":
        return {**T5, "num_layers": encoder, "num_decoder_layers": decoder}
    return {**(BART if model == "bart" else WHISPER), **WIDTHS, "encoder_layers": encoder, "decoder_layers": decoder}


def lengths(model: str, phase: str) -> dict[str, Any]:
    """A batch of 2, 9 tokens (8 of them in the cache in decoding) and 11 in the encoder; Whisper's has its frames."""
    encoder = {} if model == "whisper" else {"encoder_seq_len": 11}
    return {"batch": 2, **({"cache_len": 8} if phase == "decode" else {"seq_len": 9}), **encoder}


@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("phase", ["forward", "train", "prefill", "decode"])
@pytest.mark.parametrize("model", ["t5", "bart", "whisper"])
def test_folded_equals_unrolled(model: str, phase: str, attention: str) -> None:
    """Every total, what is kept, the cache and the peak of a model written out."""
    kind = {"phase": phase, "attention": attention, **lengths(model, phase)}
    graph = graphacct.build(model, set=sizes(model), **kind)
    flat = graph.unroll()
    assert graphacct.account(graph).total == graphacct.account(flat).total
    one, other = memory(graph), memory(flat)
    for name in ("parameters", "saved_activations", "peak", "kv_cache_bytes", "kv_bytes_per_token", "total"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize(("model", "encoder"), [("t5", 11), ("bart", 11), ("whisper", 20)])
def test_the_encoders_keys_and_values_do_not_grow(model: str, encoder: int, phase: str) -> None:
    """The cache has those of 9 tokens of the decoder and of all of the encoder's positions, for 5 layers of 4 heads of
    width 6 in float32; a further token adds its own alone."""
    found = graphacct.account(model, phase=phase, set=sizes(model), **lengths(model, phase))
    token = 5 * 2 * 4 * 6 * 4
    assert found.total["kv_bytes_per_token"] == token
    assert found.total["kv_cache_bytes"] == 2 * (9 + encoder) * token


@pytest.mark.parametrize("model", ["t5", "bart", "whisper"])
def test_a_decoding_step_leaves_the_encoder_alone(model: str) -> None:
    """Its parameters are in memory, under the names that they have in a forward pass, and it does no work."""
    step, whole = (
        graphacct.account(model, phase=phase, set=sizes(model), **lengths(model, phase))
        for phase in ("decode", "forward")
    )
    named = [sorted((row.parameter.name, row.count) for row in found.by_parameter) for found in (step, whole)]
    assert named[0] == named[1]
    assert step.total["params"] == whole.total["params"]
    scope = "encoder" if model == "t5" else "model.encoder"
    assert step[scope].values["flops"] == 0 < whole[scope].values["flops"]
    assert step[scope].values["params"] == whole[scope].values["params"]


def test_the_encoder_is_as_long_as_the_decoder_unless_said() -> None:
    """`seq_len` is the decoder's; in decoding the encoder has as many tokens as the decoder with its new one."""
    given: list[dict[str, Any]] = [{"seq_len": 9}, {"seq_len": 9, "encoder_seq_len": 11}]
    given += [{"phase": "decode", "seq_len": 9}, {"phase": "decode", "cache_len": 8}]
    found = [graphacct.build("t5", set=sizes("t5"), **item).workload for item in given]
    assert [item["encoder_seq_len"] for item in found] == [9, 11, 9, 9]
    assert [item["seq_len"] for item in found] == [9, 9, 1, 1]


def test_positions_end() -> None:
    """Learned positions are counted, those of the encoder too; T5 has biases by distance, and no end."""
    with pytest.raises(
        ConfigError, match=r"^encoder_seq_len 65 is beyond the 64 positions that the model has learned$"
    ):
        graphacct.build("bart", set=sizes("bart"), seq_len=9, encoder_seq_len=65)
    with pytest.raises(ConfigError, match=r"^seq_len 65 is beyond the 64 positions that the model has learned$"):
        graphacct.build("whisper", set=sizes("whisper"), seq_len=65)
    assert graphacct.account("t5", set=sizes("t5"), seq_len=65, encoder_seq_len=650).total["flops"]


@pytest.mark.parametrize("model", ["whisper", "gpt2"])
def test_a_length_that_the_model_does_not_take(model: str) -> None:
    """Whisper's encoder takes its frames, and GPT-2 has none: the workload's sizes are named."""
    with pytest.raises(ConfigError, match=f"^{model} has no encoder_seq_len: its workload is batch, seq_len$"):
        graphacct.build(model, encoder_seq_len=11)


def test_on_the_command_line() -> None:
    """Both lengths and the logits that are computed stand in the workload's line."""
    arguments = ["report", "t5-small", "--seq-len", "9", "--encoder-seq-len", "11", "--logits", "last"]
    result = CliRunner().invoke(cli, arguments)
    expected = "t5-small  batch 1, seq_len 9, encoder_seq_len 11, attention fused, logits last, dtype float32"
    assert result.output.splitlines()[0] == expected


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("gpt2", {"phase": "train"}, "a training step needs the logits of all positions: leave logits='last' out"),
        ("bart-large", {}, "a model without a head computes no logits: leave logits='last' out"),
        ("resnet50", {}, "resnet computes no logits of single positions: leave logits='last' out"),
    ],
)
def test_the_last_logits_alone_where_there_are_none(model: str, options: dict[str, Any], message: str) -> None:
    """The message says what to leave out."""
    with pytest.raises(ConfigError, match=f"^{message}$"):
        graphacct.build(model, logits="last", **options)
    with pytest.raises(ConfigError, match=r"^logits is all or last, not 'first'; known: all, last$"):
        graphacct.build(model, logits="first", **options)


def read(folder: Path, **keys: Any) -> Any:
    """The configuration in a file with these keys."""
    folder.joinpath("config.json").write_text(json.dumps({"model_type": "t5", **keys}))
    return described(str(folder), graphacct.hooks.manager.default())[2]


def test_the_class_that_the_file_names(tmp_path: Path) -> None:
    """The first of `architectures` says whether there is a head, and a decoder; another class is an error."""
    assert read(tmp_path).architectures == "T5ForConditionalGeneration"
    read(tmp_path, architectures=["T5EncoderModel"], **T5, num_layers=3)
    alone = graphacct.account(tmp_path, seq_len=9)
    assert {path.split(".")[0] for path in (row.path for row in alone.by_scope)} == {"shared", "encoder"}
    assert alone.total["params"] == graphacct.account("t5", set=sizes("t5"), seq_len=9)["encoder"].values["params"] + (
        97 * 24  # `shared`
    )
    with pytest.raises(ConfigError, match=r"an encoder alone has no phase 'decode': it has forward and train$"):
        graphacct.build(tmp_path, phase="decode")
    read(tmp_path, architectures=["T5Model"], d_model=512)
    with pytest.raises(
        ConfigError,
        match=r"a model without a head has no logits for a cross_entropy: its loss is the sum of its outputs$",
    ):
        graphacct.build(tmp_path, phase="train", loss="cross_entropy")
    with pytest.raises(
        graphacct.errors.ReadError,
        match=r"architectures has 'T5ForSpeech'",
    ):
        read(tmp_path, architectures=["T5ForSpeech"])


def test_an_encoder_alone_has_no_cache() -> None:
    """What a further token would add to one is not known."""
    assert memory("t5-small", set={"architectures": "T5EncoderModel"}, seq_len=9).kv_bytes_per_token is None
    assert memory("t5-small", seq_len=9).kv_bytes_per_token == 6 * 2 * 8 * 64 * 4


def test_old_and_new_files_say_how_t5_scales() -> None:
    """`tie_word_embeddings` false in an old file and `scale_decoder_outputs` false in a new one mean the same: one
    scale less, and a head that is tied all the same."""
    plain, old, new = (
        graphacct.account("t5", set={**sizes("t5"), **keys}, seq_len=9)
        for keys in ({}, {"tie_word_embeddings": False}, {"scale_decoder_outputs": False})
    )
    assert old.total == new.total
    assert plain.total["vector_flops"] - new.total["vector_flops"] == 9 * 24
    assert plain.total["params"] == new.total["params"]


def test_a_decoder_without_encoder_layers(tmp_path: Path) -> None:
    """BART with `encoder_layers` 0: 760,836 parameters and 160,333,824 FLOPs, as the library's (transformers 5.24)."""
    content = {
        "model_type": "bart",
        "d_model": 128,
        "encoder_layers": 0,
        "decoder_layers": 3,
        "encoder_ffn_dim": 256,
        "decoder_ffn_dim": 300,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 8,
        "vocab_size": 500,
        "max_position_embeddings": 256,
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    total = graphacct.account(tmp_path, seq_len=96, attention="eager", convention="matmul").total
    assert (total["params"], total["matmul_flops"]) == (760_836, 160_333_824)
    assert graphacct.memory(tmp_path, seq_len=8).total > 0
