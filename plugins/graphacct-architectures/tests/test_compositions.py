"""Compositions of two configurations, and decoders with cross-attention alone: figures of the library's classes.

Measured with `graphacct verify --torch` (transformers 5.23, torch 2.13): parameters, and matmul FLOPs of a pass and of
a training step.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

BERT: dict[str, Any] = {
    **{"model_type": "bert", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"intermediate_size": 48, "vocab_size": 99},
}
CROSSED = {"is_decoder": True, "add_cross_attention": True}
GPT2: dict[str, Any] = {
    **{"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99},
    "add_cross_attention": True,
}
STACK: dict[str, Any] = {
    **{"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 40, "vocab_size": 99},
}
DEIT: dict[str, Any] = {
    **{"model_type": "deit", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"intermediate_size": 48, "image_size": 32},
}
SWIN: dict[str, Any] = {
    **{"model_type": "swin", "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
    "image_size": 32,
}
SPEECH: dict[str, Any] = {
    **{"model_type": "wav2vec2", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"intermediate_size": 48, "conv_dim": [8, 8], "conv_kernel": [10, 4], "conv_stride": [5, 2], "layerdrop": 0},
    **{"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "mask_time_prob": 0},
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], int, int, int]] = {
    "bert writes": (
        {
            "model_type": "encoder-decoder",
            "encoder": BERT,
            "decoder": {**BERT, "hidden_size": 32, **CROSSED},
        },
        {"seq_len": 8},
        *(70_387, 66_177_664, 198_530_688),
    ),
    "roberta and gpt2": (
        {
            "model_type": "encoder-decoder",
            "encoder": {**BERT, "model_type": "roberta", "hidden_size": 32},
            "decoder": GPT2,
        },
        {"seq_len": 8},
        *(105_728, 86_958_592, 260_871_680),
    ),
    "deit and trocr": (
        {
            "model_type": "vision-encoder-decoder",
            "encoder": DEIT,
            "decoder": {**STACK, "model_type": "trocr", "cross_attention_hidden_size": 24},
        },
        {"seq_len": 8},
        *(70_240, 660_864, 1_832_832),
    ),
    "swin and mbart": (
        {"model_type": "vision-encoder-decoder", "encoder": SWIN, "decoder": {**STACK, "model_type": "mbart"}},
        {"seq_len": 8},
        *(94_284, 2_442_752, 7_229_952),
    ),
    "wav2vec2 and bart": (
        {
            "model_type": "speech-encoder-decoder",
            "encoder": SPEECH,
            "decoder": {**STACK, "model_type": "bart", "encoder_layers": 2},
        },
        {"seq_len": 8, "samples": 15360},
        *(70_964, 503_893_088, 1_511_679_264),
    ),
    "vit and roberta": (
        {
            "model_type": "vision-text-dual-encoder",
            "projection_dim": 12,
            "vision_config": {**DEIT, "model_type": "vit"},
            "text_config": {**BERT, "model_type": "roberta", "hidden_size": 32},
        },
        {"seq_len": 8},
        *(65_409, 494_744, 1_336_776),
    ),
    "trocr alone": ({**STACK, "model_type": "trocr"}, {"seq_len": 8}, 42_224, 280_064, 840_192),
    "gpt2 alone": (GPT2, {"seq_len": 8}, 69_984, 460_288, 1_380_864),
    "bart alone": (
        {
            **{"model_type": "bart", "architectures": ["BartForCausalLM"], "d_model": 128, "encoder_layers": 2},
            **{"decoder_layers": 3, "decoder_ffn_dim": 300, "decoder_attention_heads": 8, "vocab_size": 500},
            "max_position_embeddings": 256,
        },
        {"seq_len": 8},
        *(727_556, 7_954_432, 23_863_296),
    ),
    "whisper alone": (
        {
            **{"model_type": "whisper", "architectures": ["WhisperForCausalLM"], "d_model": 64, "decoder_layers": 1},
            **{"decoder_attention_heads": 4, "decoder_ffn_dim": 128, "vocab_size": 500, "max_target_positions": 64},
        },
        {"seq_len": 8},
        *(86_336, 1_052_672, 3_158_016),
    ),
    "bert alone": (
        {
            **{**BERT, "architectures": ["BertLMHeadModel"], "hidden_size": 96, "intermediate_size": 200},
            **{"vocab_size": 300, "max_position_embeddings": 128, **CROSSED},
        },
        {"seq_len": 8},
        *(278_812, 3_065_856, 9_197_568),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_figures_of_the_class(name: str) -> None:
    content, sizes, params, forward, step = CASES[name]
    for attention in ("eager", "fused"):
        found = graphacct.account(content, **sizes, attention=attention, convention="matmul")
        assert (found.total["params"], found.total["matmul_flops"]) == (params, forward)
    trained = graphacct.account(content, **sizes, attention="eager", convention="matmul", phase="train", loss="sum")
    assert trained.total["step_matmul_flops"] == step


@pytest.mark.parametrize("name", ["bert writes", "roberta and gpt2", "deit and trocr", "swin and mbart"])
def test_a_step_of_decoding_reads_two_caches(name: str) -> None:
    content = CASES[name][0]
    filled = graphacct.account(content, phase="prefill", seq_len=8)
    step = graphacct.account(content, phase="decode", cache_len=8, seq_len=1)
    assert step.total["params"] == filled.total["params"] == CASES[name][2]
    assert step.total["matmul_flops"] < filled.total["matmul_flops"]


def test_tensors_stand_in_their_models() -> None:
    names = {
        row.parameter.name: row.parameter.tied_to for row in graphacct.account(CASES["bert writes"][0]).by_parameter
    }
    assert "encoder.encoder.layer.*.attention.self.query.weight" in names
    assert "enc_to_dec_proj.weight" in names
    assert names["decoder.cls.predictions.decoder.weight"] == "decoder.bert.embeddings.word_embeddings.weight"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"model_type": "encoder-decoder", "encoder": BERT, "decoder": {**BERT, "is_decoder": True}},
            "add_cross_attention is not True: a decoder that attends to an encoder has it",
        ),
        (
            {**BERT, "add_cross_attention": True},
            "add_cross_attention is True and is_decoder is not: only a decoder has it; add --set is_decoder=true",
        ),
        (
            {
                "model_type": "vision-encoder-decoder",
                "encoder": DEIT,
                "decoder": {**STACK, "model_type": "trocr", "cross_attention_hidden_size": 7},
            },
            "decoder.cross_attention_hidden_size is 7, and the encoder's output 24 wide",
        ),
        (
            {
                "model_type": "vision-encoder-decoder",
                "encoder": {"model_type": "resnet"},
                "decoder": {**BERT, **CROSSED},
            },
            "encoder.model_type is 'hf-resnet', whose output is",
        ),
        (
            {
                "model_type": "vision-text-dual-encoder",
                "vision_config": DEIT,
                "text_config": {"model_type": "distilbert"},
            },
            "text_config.model_type is 'distilbert', whose class has no pooled output to compare",
        ),
    ],
)
def test_refusals(content: dict[str, Any], said: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=said.replace("(", r"\(")):
        graphacct.account(content)


def test_a_decoder_alone_has_no_encoder_seq_len() -> None:
    with pytest.raises(graphacct.GraphacctError, match="encoder_seq_len is 4: this class is a decoder alone"):
        graphacct.account({**STACK, "model_type": "bart", "architectures": ["BartForCausalLM"]}, encoder_seq_len=4)


@pytest.mark.parametrize("kind", ["trocr", "mbart"])
def test_a_decoder_that_always_attends_to_an_encoder_may_say_so(kind: str) -> None:
    """Published TrOCR and Donut files have the keys that the composition's class writes into its decoder."""
    model = {"model_type": "vision-encoder-decoder", "encoder": DEIT, "decoder": {"model_type": kind, **STACK}}
    said = {**model, "decoder": {**model["decoder"], **CROSSED}}
    assert graphacct.account(said, seq_len=8).total == graphacct.account(model, seq_len=8).total
