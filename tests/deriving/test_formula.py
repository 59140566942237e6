"""Formulas of models: their figures are those of reports, to the unit."""

from __future__ import annotations

import random

import pytest
import sympy
from deriving.points import points, reported, run

import graphacct
from graphacct.errors import ConfigError, UnknownNameError
from graphacct.render.formula import to_latex
from graphacct.reports import completed

MODELS = {
    "gpt2": {},
    "llama-3-8b": {"phase": "prefill"},
    "bert-base-uncased": {},
    "t5-small": {},
    "mixtral-8x7b-v0.1": {"phase": "decode"},
    "deepseek-v3": {},
    "gemma-2-9b": {},
    "mamba-130m": {},
    "vit-base-patch16-224": {},
    "clip-vit-base-patch32": {},
    "resnet-50": {},
    "whisper-tiny": {},
    "transformer-lm-xl": {"convention": "worksheet"},
}


@pytest.mark.parametrize("model", MODELS)
def test_a_formula_is_the_report_at_random_sizes(model):
    chance, options = random.Random(model), MODELS[model]
    for formula in graphacct.formula(model, **options):
        assert formula.value == reported(model, formula, {}, options) == run(formula, formula.symbols)
        for sizes in points(formula, chance, 2):
            figure = reported(model, formula, sizes, options)
            assert formula(**sizes) == run(formula, sizes)
            assert figure is None or formula(**sizes) == figure, sizes


def test_the_formulas_of_a_training_step():
    """Saved bytes round by the block, and peaks are the largest of several sums."""
    chance = random.Random(1)
    options = {"phase": "train", "batch": 4, "seq_len": 256}
    names = ("step_flops", "saved_bytes", "peak_bytes", "backward_peak_bytes")
    for formula in graphacct.formula("gpt2", quantity=names, **options):
        assert formula.value == reported("gpt2", formula, {}, options)
        for sizes in points(formula, chance, 2):
            assert formula(**sizes) == run(formula, sizes) == reported("gpt2", formula, sizes, options)
    assert "ceil(seq_len / 32)" in graphacct.formula("gpt2", quantity="saved_bytes", **options).text


def test_blocks_stand_before_the_ends():
    found = graphacct.formula("gpt2-xl", quantity="flops")
    assert found.text == (
        "batch · seq_len · (n_layer · (24 · n_embd² + 4 · seq_len · n_embd + 7 · seq_len · n_head + 61 · n_embd + 8)"
        " + 2 · vocab_size · n_embd + 8 · n_embd + 4)"
    )
    assert found.symbols == {
        "batch": 1,
        "seq_len": 1024,
        "vocab_size": 50257,
        "n_embd": 1600,
        "n_layer": 48,
        "n_head": 25,
    }
    assert "seq_len ≤ n_positions" in found.conditions


def test_layers_that_are_listed_are_blocks_too():
    """All 61 layers share some terms, 58 of them have experts."""
    found = graphacct.formula("deepseek-v3.2", quantity="params")
    assert "61 · (" in found.text
    assert "58 · (3 · moe_intermediate_size · n_routed_experts" in found.text
    assert {each.name: (each.value, each.reason) for each in found.held} == {
        "num_hidden_layers": (61, "the layers of this model differ"),
        "first_k_dense_replace": (3, "the layers of this model differ"),
    }


def test_layers_after_the_first_ones_may_be_any_number():
    """Three layers of DeepSeek-V3 have no experts, all others do."""
    found = graphacct.formula("deepseek-v3", quantity="flops", symbols=["num_hidden_layers"])
    assert found.text == "491,520 · (4,913,166,079 · num_hidden_layers + 614,001,712)"
    assert found.conditions == ("num_hidden_layers > 3",)
    (held,) = graphacct.formula("deepseek-v3", quantity="params").held
    assert (held.name, held.reason) == ("first_k_dense_replace", "the layers of this model differ")


def test_the_worksheet_writes_the_same():
    found = graphacct.formula("transformer-lm-xl", quantity="flops", convention="worksheet", by="scope", depth=2)
    assert found.text == (
        "batch · seq_len · d_model · (n_layer · (6 · d_ff + 8 · d_model + 4 · seq_len + 5) + 2 · vocab_size + 2)"
    )
    assert {part.path: part.text for part in found.parts} == {
        "layers.*.ln1": "2 · n_layer · batch · seq_len · d_model",
        "layers.*.attn": "n_layer · batch · seq_len · d_model · (8 · d_model + 4 · seq_len + 3)",
        "layers.*.ffn": "6 · n_layer · batch · seq_len · d_model · d_ff",
        "ln_final": "2 · batch · seq_len · d_model",
        "lm_head": "2 · batch · seq_len · vocab_size · d_model",
    }
    assert sum(part.value for part in found.parts) == found.value == 4_513_733_017_600


def test_a_part_by_its_path_its_end_or_a_glob():
    mlp = "n_layer · batch · seq_len · n_embd · (16 · n_embd + 41)"
    for node in ("transformer.h.*.mlp", "h.3.mlp", "mlp", "*.mlp"):
        assert graphacct.formula("gpt2-xl", node, quantity="flops").text == mlp
    both = graphacct.formula("gpt2-xl", "*.ln_[12]", quantity="params")
    assert (both.text, both.path) == ("4 · n_layer · n_embd", "*.ln_[12]")
    with pytest.raises(UnknownNameError, match="did you mean"):
        graphacct.formula("gpt2-xl", "mpl", quantity="flops")


def test_only_some_sizes_are_symbols():
    found = graphacct.formula("llama-3-8b", quantity="params", symbols="n_layer,d_model")
    assert found.text == "hidden_size · (num_hidden_layers · (5 · hidden_size / 2 + 43,010) + 256,513)"
    assert list(found.symbols) == ["hidden_size", "num_hidden_layers"]
    assert found(d_model=2048, n_layer=2) == run(found, {"hidden_size": 2048, "num_hidden_layers": 2})


def test_a_batch_of_one_may_have_another_formula():
    """The positions of GPT-2 are added to a batch: at 1 their gradient is no sum."""
    both = graphacct.formula("gpt2", quantity="weight_grad_flops", phase="train")
    assert (both.symbols["batch"], both.note) == (1, "")
    several = graphacct.formula("gpt2", quantity="saved_bytes", phase="train")
    note = "the value is at batch 2; batch 1 has another formula: give batch=1"
    assert (several.symbols["batch"], several.note) == (2, note)
    assert "batch > 1" in several.conditions
    one = graphacct.formula("gpt2", quantity="saved_bytes", phase="train", batch=1)
    assert "batch" not in one.symbols
    assert one.value == graphacct.account("gpt2", phase="train", quantities=["saved_bytes"]).total["saved_bytes"]


def test_exponents():
    """The two products of attention grow with the square of the length, all others with the length."""
    found = graphacct.formula("transformer-lm-xl", quantity="matmul_flops", symbols="seq_len,batch").exponents
    total, squares = 4_513_336_524_800, 48 * 4 * 1024**2 * 1600
    assert found["batch"] == 1
    assert found["seq_len"] == pytest.approx((total + squares) / total, rel=1e-12)


def test_latex_and_python():
    found = graphacct.formula("llama-3-8b", "k_proj", quantity="params")
    assert found.text == "num_hidden_layers · hidden_size² · num_key_value_heads / num_attention_heads"
    assert found.latex == (
        r"\frac{\mathrm{num\ hidden\ layers} \cdot \mathrm{hidden\ size}^{2} \cdot"
        r" \mathrm{num\ key\ value\ heads}}{\mathrm{num\ attention\ heads}}"
    )
    assert found.python == (
        "def params_model_layers_self_attn_k_proj(\n"
        "    hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads\n"
        "):\n" + found.python.partition("):\n")[2]
    )
    assert (
        "    hidden_size_per_num_attention_heads = hidden_size // num_attention_heads\n    return (\n" in found.python
    )
    assert graphacct.formula("gpt2", quantity="params")._repr_latex_() == (
        r"$$\begin{aligned} \mathrm{params} &= n_{\mathrm{embd}} \cdot \left( n_{\mathrm{layer}} \cdot \left( 12 \cdot"
        r" n_{\mathrm{embd}} + 13 \right) + \mathrm{vocab\ size} + n_{\mathrm{positions}} + 2 \right)"
        r" \end{aligned}$$"
    )


def test_a_ratio_is_a_quotient():
    found = graphacct.formula("gpt2", "mlp.c_fc", quantity="arithmetic_intensity")
    assert (
        found.text == "batch · seq_len · (2 · n_embd + 1) / (5 · batch · seq_len + 4 · n_embd + 4)" or "/" in found.text
    )
    report = graphacct.account("gpt2")
    assert found.value == report.figure("arithmetic_intensity", report["transformer.h.*.mlp.c_fc"].values)
    with pytest.raises(ConfigError, match="which scopes have no sum of"):
        graphacct.formula("gpt2", quantity="arithmetic_intensity", by="scope")


def test_calls_that_do_not_fit():
    found = graphacct.formula("gpt2", quantity="flops")
    with pytest.raises(UnknownNameError, match="'n_lyer' is no symbol of this formula; did you mean 'n_layer'"):
        found(n_lyer=3)
    with pytest.raises(ConfigError, match="seq_len must be a whole number from 1 on, not 0"):
        found(seq_len=0)
    with pytest.raises(ConfigError, match="the formula of flops holds for seq_len ≤ n_positions: not at"):
        found(seq_len=2048)


def test_models_and_names_that_have_no_formula():
    with pytest.raises(UnknownNameError, match="unknown size 'colour'; known: of the workload batch, seq_len"):
        graphacct.formula("gpt2", symbols=["colour"])
    with pytest.raises(ConfigError, match="num_hidden_layers cannot be a symbol, the layers of this model differ"):
        graphacct.formula("gemma-2-9b", symbols="n_layer")
    with pytest.raises(ConfigError, match="'gpt2' is no configuration but a finished graph: its sizes are fixed"):
        graphacct.formula(graphacct.build("gpt2"))
    with pytest.raises(ConfigError, match="a formula of a generation: it is many steps"):
        graphacct.formula("gpt2", phase="generate", prompt_len=8, new_tokens=4)
    with pytest.raises(ConfigError, match="seq_len is s: every size is a symbol by itself, and takes a number here"):
        graphacct.formula("gpt2", seq_len=sympy.Symbol("s", positive=True, integer=True))
    with pytest.raises(ConfigError, match="no quantity is given"):
        graphacct.formula("gpt2", quantity=[])
    with pytest.raises(ConfigError, match="arithmetic_intensity divides by zero here"):
        graphacct.formula("gpt2", "attn.q_heads", quantity="arithmetic_intensity")
    with pytest.raises(ConfigError, match="peak_bytes exists only in phase train"):
        graphacct.formula("gpt2", quantity="peak_bytes")


def test_a_length_of_all_positions_is_one_of_many():
    """BERT's own length is all its positions, so that their table is read whole, and at any other length in part."""
    found = graphacct.formula("bert-base-uncased", quantity="flops")
    assert found.symbols["seq_len"] == 512
    assert [each for each in found.conditions if "positions" in each or "position_" in each] == [
        "seq_len ≤ max_position_embeddings"
    ]
    assert found(seq_len=128) == graphacct.account("bert-base-uncased", seq_len=128).total["flops"]


def test_a_model_that_asks_for_ints_gets_numbers():
    """Its windows are written out if the sizes of an image are ints, and else described in general."""
    found = graphacct.formula("exaone-4.5-33b", quantity="params")
    assert found.value == graphacct.account("exaone-4.5-33b", quantities=["params"]).total["params"]
    assert {"image_size", "images"} <= {each.name for each in found.held}
    assert "text_config.vocab_size" in found.symbols


def test_no_more_than_must_stays_a_number():
    """One size is asked for as a number, and the message does not say which by its name."""
    found = graphacct.formula("wav2vec2-base-960h", quantity="params")
    assert [(each.name, each.value) for each in found.held] == [("num_conv_pos_embeddings", 128)]
    windows = graphacct.formula("qwen2_5_vl_vision", quantity="params")
    assert {"depth", "window_size", "patch_size"} <= {each.name for each in windows.held}
    assert {"hidden_size", "intermediate_size"} <= windows.symbols.keys()


def test_adapters_and_formats_of_weights():
    """Layers that an adapter writes out are so many, and weights of 4 bits have scales, one for 64 of them."""
    lora = graphacct.formula("gpt2", quantity="params", lora=["8:c_attn"])
    assert lora.value == graphacct.account("gpt2", lora=["8:c_attn"]).total["params"]
    assert [each.name for each in lora.held] == ["n_layer"]
    stored = graphacct.formula("llama-3-8b", "mlp.gate_proj", quantity="param_bytes", weights="nf4")
    assert "hidden_size · intermediate_size / 2 + 4 · ceil(hidden_size · intermediate_size / 64)" in stored.text


@pytest.mark.parametrize("asked", [{}, {"seq_len": 64}, {"cache_len": 63}, {"cache_len": 100, "batch": 3}])
def test_a_decoding_step_has_the_length_of_its_cache_as_a_size(asked: dict[str, int]) -> None:
    """Its one new token is no size. Two bytes each for keys and values of 8 · 128 numbers in 32 layers, by token."""
    found = graphacct.formula("llama-3-8b", phase="decode", quantity="kv_cache_bytes", **asked)
    tokens = asked.get("cache_len", asked.get("seq_len", 8192) - 1) + 1
    assert found.value == 2 * 2 * 8 * 128 * 32 * tokens * asked.get("batch", 1)
    assert "cache_len" in found.symbols
    assert "seq_len" not in {*found.point, *(held.name for held in found.held)}


def test_latex_has_paths_as_they_are_and_values_in_comments() -> None:
    """An underscore of a path stays one; the figure, and the sizes that it is of, are said."""
    text = to_latex([graphacct.formula("gpt2", "h.*.attn.c_attn", quantity="params")])
    assert r"\texttt{transformer.h.*.attn.c\_attn}" in text
    assert "% params(transformer.h.*.attn.c_attn) of gpt2: 21,261,312 (parameter)" in text  # 12 · (3 · 768² + 3 · 768)
    assert text.splitlines()[-1] == "% with n_embd 768, n_layer 12"


def test_few_layers_have_no_middle_that_stands_for_more() -> None:
    """The peak of a step walks a block's ends one by one: of three layers their number holds, of 12 it is a symbol."""
    found = graphacct.formula("decision_transformer", phase="train", quantity="peak_bytes")
    assert {held.name: held.value for held in found.held}["n_layer"] == 3
    assert graphacct.formula("gpt2", phase="train", quantity="peak_bytes").conditions.count("n_layer > 5") == 1


@pytest.mark.parametrize(("model", "times"), [("gpt2", 3), ("llama-3-8b", 3), ("t5-small", 2)])
def test_the_memory_of_a_step_is_found_a_few_times(model, times, monkeypatch):
    """It takes most of the time. Of GPT-2 and Llama, whose batch of 1 has another formula: in symbols at a batch of 2,
    in numbers at 1, which says so, and in numbers at 2, which the formula is held against. T5's rules ask nothing of
    its batch: symbols and numbers at the same sizes are enough."""
    found = []
    once = completed.completed
    monkeypatch.setattr(completed, "completed", lambda *given: found.append(given) or once(*given))
    graphacct.formula(model, quantity=["saved_bytes", "peak_bytes"], phase="train")
    assert len(found) == times
