"""Every class that a file of the encoders, encoder-decoders and towers may name, equal to the unit with what torch
measured on the real models: tests/goldens/README.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.execution.saved_storages import saved_bytes as kept_bytes
from graphacct.execution.schedule import schedule
from graphacct.hooks.manager import default

ROWS = json.loads((Path(__file__).parents[3] / "tests" / "goldens" / "classes.json").read_text())
NAMES = [row["config"]["architectures"][0] for row in ROWS]


def file(folder: Path, content: dict[str, Any]) -> Path:
    """A folder with a config.json."""
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def options(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row["workload"].items()}


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_class(row: dict[str, Any], tmp_path: Path) -> None:
    """Tensors by name and shape, tied ones marked, FLOPs forward by module and of a training step, both attentions."""
    folder = file(tmp_path, row["config"])
    given: dict[str, Any] = {**options(row), "convention": "matmul", "attention": "eager"}
    found = graphacct.account(folder, **given)
    ours: dict[str, list[Any]] = {}
    for tensor in found.by_parameter:
        if not tensor.parameter.tied_to and not tensor.parameter.buffer:
            name = re.sub(r"(?<=\.)\d+(?=\.|$)", "*", tensor.parameter.name)
            alike = ours.setdefault(name, [0, list(tensor.parameter.spec.shape)])
            alike[0] += tensor.count
    assert ours == row["tensors"]
    assert found.total["params"] == row["params"]
    tied = [tensor.parameter.name for tensor in found.by_parameter if tensor.parameter.tied_to]
    assert sorted(tied) == row["tied_names"]
    assert found.total["matmul_flops"] == row["forward"]
    modules = {line.path: [line.values["matmul_flops"], line.repeat] for line in found.by_scope}
    # a sequence of modules (ViT's decoder) has no row of its own, its parts have
    wanted = {path: figures for path, figures in row["by_module"].items() if path not in ("(root)", "decoder")}
    if "decoder.*" not in row["by_module"] and "decoder" in row["by_module"]:
        wanted["decoder"] = row["by_module"]["decoder"]
    assert {path: modules.get(path) for path in wanted} == wanted
    for attention in ("eager", "fused"):
        step = graphacct.account(folder, **{**given, "attention": attention}, phase="train", loss="sum")
        assert step.total["matmul_flops"] == row["forward"]
        assert step.total["step_matmul_flops"] == row["train_step"]


@pytest.mark.parametrize("phase", ["forward", "train"])
@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_folded_equals_unrolled(row: dict[str, Any], phase: str, tmp_path: Path) -> None:
    """Blocks drawn once cost what they cost one by one, behind every head."""
    graph = graphacct.build(file(tmp_path, row["config"]), **options(row), phase=phase)
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total


BERT = {"model_type": "bert", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 20}


BART = {"model_type": "bart", "architectures": ["BartForSequenceClassification"], "d_model": 8, "vocab_size": 20}
BART |= {"encoder_layers": 1, "decoder_layers": 1, "num_attention_heads": 2, "decoder_attention_heads": 2}


def classes(folder: Path, content: dict[str, Any], name: str = "classifier.bias") -> int:
    """How many classes a classifier tells apart."""
    report = graphacct.account(file(folder, content), seq_len=4)
    return int(next(row.parameter.spec.shape[0] for row in report.by_parameter if row.parameter.name == name))


def test_the_number_of_classes_is_stated_or_counted(tmp_path: Path) -> None:
    """`num_labels` counts before the names in `id2label`; without both there are two, of BART three."""
    names = {str(index): "" for index in range(5)}
    kind = {**BERT, "architectures": ["BertForSequenceClassification"]}
    assert classes(tmp_path, kind) == 2
    assert classes(tmp_path, {**kind, "id2label": names}) == 5
    assert classes(tmp_path, {**kind, "id2label": names, "num_labels": 4}) == 4
    assert classes(tmp_path, {**kind, "num_labels": 4, "id2label": names}) == 4
    assert classes(tmp_path, {**kind, "id2label": None, "_num_labels": 7}) == 2
    assert classes(tmp_path, BART, "classification_head.out_proj.bias") == 3


def test_a_classifier_of_texts_reads_where_they_end(tmp_path: Path) -> None:
    """BART's reads one of the decoder's tokens for each text: 2 · 3 · (8 · 8 + 8 · 3) FLOPs for three texts.

    It needs as many tokens as the encoder, whose end it looks for.
    """
    folder = file(tmp_path, BART)
    report = graphacct.account(folder, batch=3, seq_len=4, convention="matmul")
    assert report["classification_head"].values["matmul_flops"] == 2 * 3 * (8 * 8 + 8 * 3)
    with pytest.raises(graphacct.GraphacctError, match="encoder_seq_len 5 is not seq_len 4"):
        graphacct.account(folder, seq_len=4, encoder_seq_len=5)
    with pytest.raises(graphacct.GraphacctError, match="a classifier has no phase 'decode': it has forward and train"):
        graphacct.account(folder, phase="decode")


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        (
            {"architectures": ["BertForQuestionAnswering"], "num_labels": 3},
            {},
            "num_labels is 3: a token begins a span",
        ),
        ({"architectures": ["BertModel"]}, {"loss": "cross_entropy"}, "BertModel has no logits for a cross_entropy"),
        ({"architectures": ["BertModel"]}, {"choices": 2}, "BertModel has no choices: classes that end in ForMultip"),
        ({"architectures": ["BertForMultipleChoice"]}, {"choices": 0}, "choices"),
        ({"architectures": ["BertForSpeech"]}, {}, "architectures has 'BertForSpeech'"),
        (
            {"add_cross_attention": True},
            {},
            "add_cross_attention is True and is_decoder is not",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    """The key or the class, and what holds."""
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(file(tmp_path, {**BERT, **change}), seq_len=4, phase="train", **given)


def test_a_decoder_of_bert_sees_what_is_before_it(tmp_path: Path) -> None:
    """`is_decoder` adds a mask to each layer's scores and no product: 2 heads · 5 · 5 additions of 1 layer."""
    plain = graphacct.account(file(tmp_path, BERT), seq_len=5, attention="eager").total
    causal = graphacct.account(file(tmp_path, {**BERT, "is_decoder": True}), seq_len=5, attention="eager").total
    assert causal["matmul_flops"] == plain["matmul_flops"]
    assert causal["vector_flops"] - plain["vector_flops"] == 2 * 5 * 5


SIZES = {"hidden_size": 12, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 9}
DISTIL = {"dim": 12, "n_heads": 2, "n_layers": 2, "hidden_dim": 9}
DROPS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "seq_classif_dropout")


@pytest.mark.parametrize(
    ("name", "plain", "dropping"),
    [
        ("BertForSequenceClassification", 24560, 34592),
        ("BertForTokenClassification", 24416, 35168),
        ("BertForQuestionAnswering", 24416, 34160),
        ("BertForPreTraining", 27752, 37496),
        ("BertModel", 24560, 34304),
        ("RobertaForSequenceClassification", 24840, 34152),
        ("ElectraForSequenceClassification", 45200, 64112),
        ("DistilBertForSequenceClassification", 24504, 32520),
    ],
)
def test_heads_keep_what_torch_keeps(tmp_path: Path, name: str, plain: int, dropping: int) -> None:
    """Bytes that autograd keeps of 3 sequences of 7 tokens up to the sum of the outputs, in float32 on a CPU, without
    dropout and with 0.1 everywhere (torch 2.13.0, transformers 5.23.0); DistilBERT's attention drops no output."""
    family = name.partition("For")[0].removesuffix("Model").lower()
    content = {"model_type": family, "architectures": [name], "vocab_size": 30, "max_position_embeddings": 20}
    content |= DISTIL if family == "distilbert" else SIZES
    plugins = default()
    for drop, expected in ((0.0, plain), (0.1, dropping)):
        folder = file(tmp_path, {**content, **dict.fromkeys(DROPS, drop)})
        graph = graphacct.build(folder, phase="train", loss="sum", batch=3, seq_len=7, attention="eager")
        assert kept_bytes(schedule(graph, plugins.operators, plugins.profiles["torch-eager-cpu"])) == expected


@pytest.mark.parametrize("key", ["encoder_layerdrop", "decoder_layerdrop"])
def test_layers_dropped_in_training_are_an_error(tmp_path: Path, key: str) -> None:
    """Which layers run is drawn: a forward pass is as without it, a training step has no one answer."""
    folder = file(tmp_path, {"model_type": "bart", "d_model": 1024, key: 0.1})
    assert graphacct.account(folder, seq_len=4).total["params"] == graphacct.account("bart", seq_len=4).total["params"]
    with pytest.raises(graphacct.GraphacctError, match=f"{key} 0.1: whole layers .* add --set {key}=0$"):
        graphacct.account(folder, seq_len=4, phase="train")


def test_a_translated_key_counts_before_the_key(tmp_path: Path) -> None:
    """The library sets the names of an attribute_map last: 3 layers, whatever `encoder_layers` says before or after."""
    for content in ({"num_hidden_layers": 3, "encoder_layers": 2}, {"encoder_layers": 2, "num_hidden_layers": 3}):
        found = graphacct.readers.hf.find(str(file(tmp_path, {"model_type": "bart", **content})), default())[2]
        assert found.encoder_layers == 3
