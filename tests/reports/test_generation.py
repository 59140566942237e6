"""A whole generation: a prefill and all decoding steps, against the explicit sum over the steps."""

from __future__ import annotations

import json
from typing import Any

import pytest

import graphacct
from graphacct import ConfigError, Report
from graphacct.models.steps import Sample, Steps
from graphacct.reports.generation import adds_up

LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 60,
}
LATENT = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 60,
    "kv_lora_rank": 16,
    "q_lora_rank": 12,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
}
GPT2 = {"n_layer": 3, "n_embd": 32, "n_head": 4, "vocab_size": 60, "n_positions": 64}
T5 = {"d_model": 32, "d_ff": 48, "num_layers": 2, "num_heads": 4, "d_kv": 8, "vocab_size": 60}
EAGER = "eager"
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "gpt2": ("gpt2", GPT2, {}),
    "gpt2-eager": ("gpt2", GPT2, {"attention": "eager", "logits": "all"}),
    "window": ("mistral", {**LLAMA, "sliding_window": 9}, {}),
    "window-eager": ("mistral", {**LLAMA, "sliding_window": 9}, {"attention": "eager"}),
    "alternating": ("gemma2", {**LLAMA, "head_dim": 8, "sliding_window": 7}, {}),
    "sinks": (
        "gpt_oss",
        {**LLAMA, "head_dim": 8, "sliding_window": 11, "num_local_experts": 4},
        {"attention": "eager"},
    ),
    "latent": ("deepseek_v3", LATENT, {}),
    "latent-expanded": ("deepseek_v3", LATENT, {"attention": "eager"}),
    "encoder": ("t5", T5, {"encoder_seq_len": 13}),
    "encoder-of-the-prompt": ("t5", T5, {}),
    "adapters": ("gpt2", GPT2, {"lora": ["2:*.c_attn"]}),
}


def options(name: str) -> dict[str, Any]:
    _, sizes, others = CASES[name]
    return {"set": sizes, "batch": 2, **others}


def written_out(name: str, prompt: int, new: int, **more: Any) -> list[Report]:
    """The reports of all steps, each accounted for alone."""
    model, given = CASES[name][0], {**options(name), **more}
    first = graphacct.account(model, phase="prefill", seq_len=prompt, **{"logits": "last", **given})
    given.pop("logits", None)
    if "encoder_seq_len" in first.workload:
        given["encoder_seq_len"] = first.workload["encoder_seq_len"]
    rest = range(prompt, prompt + new - 1)
    return [first, *(graphacct.account(model, phase="decode", cache_len=cached, **given) for cached in rest)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("prompt", "new"), [(5, 1), (5, 2), (5, 3), (3, 30), (15, 17)])
def test_every_figure_is_the_sum_over_the_steps(name: str, prompt: int, new: int) -> None:
    """Of the total, of each operator and of each node, also where windows fill up on the way."""
    found = graphacct.account(CASES[name][0], phase="generate", prompt_len=prompt, new_tokens=new, **options(name))
    steps = written_out(name, prompt, new)
    for quantity in found.quantities:
        label = quantity.name
        if adds_up(quantity):
            assert found.total[label] == sum(step.total[label] for step in steps)
            for rows in ("by_scope", "by_operator"):
                expected: dict[str, int] = {}
                for step in steps:
                    for row in getattr(step, rows):
                        expected[row.path] = expected.get(row.path, 0) + row.values[label]
                assert {row.path: row.values[label] for row in getattr(found, rows)} == expected
        elif quantity.at_end:
            assert found.total[label] == steps[-1].total[label]
        else:
            assert found.total[label] == steps[0].total[label]
    assert sum(row.values["flops"] for row in found.by_operator) == found.total["flops"]
    assert sum(row.repeat for row in found.by_operator) == sum(row.repeat for step in steps for row in step.by_operator)


def test_a_hundred_thousand_tokens_take_few_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step reads the cache once: 2 · 3 layers · 32 · 4 bytes for each of the tokens before it. The graphs that are
    built do not grow with the tokens."""
    from graphacct.models import generate

    built = []
    original = generate.build
    monkeypatch.setattr(generate, "build", lambda *args, **given: built.append(1) or original(*args, **given))
    sizes = {**GPT2, "n_positions": 200_000}
    reads = {}
    for new in (50_000, 100_000):
        report = graphacct.account("gpt2", phase="generate", prompt_len=10, new_tokens=new, set=sizes)
        reads[new] = report.total["matmul_flops"]
    assert len(built) < 30
    scores = 2 * 2 * 3 * 32  # FLOPs of the two products for a query, a key and 3 layers
    more = range(10 + 50_000 - 1, 10 + 100_000 - 1)  # the lengths of the caches of the later steps
    per_step = 2 * 3 * 12 * 32 * 32 + 2 * 32 * 60
    assert reads[100_000] - reads[50_000] == sum(scores * (cached + 1) + per_step for cached in more)


def test_what_a_new_token_costs() -> None:
    """The sum over all new tokens of all sequences, divided by them; an int where it is one."""
    found = graphacct.account("gpt2", phase="generate", prompt_len=6, new_tokens=4, batch=2, set=GPT2)
    assert found.per_token["flops"] == found.total["flops"] / 8
    assert "params" not in found.per_token
    assert found.prefill["flops"] + found.decode["flops"] == found.total["flops"]


def test_the_contract() -> None:
    """`per_token`, `prefill`, `decode` and the cache at the end: 6 + 4 - 1 tokens, for the last is never run."""
    found = graphacct.account("gpt2", phase="generate", prompt_len=6, new_tokens=4, batch=2, set=GPT2).to_dict()
    assert (found["workload"]["prompt_len"], found["workload"]["new_tokens"]) == (6, 4)
    assert found["workload"]["phase"] == "generate"
    assert "seq_len" not in found["workload"]
    assert found["kv_cache_bytes"] == found["total"]["kv_cache_bytes"] == 2 * 9 * 2 * 3 * 32 * 4
    for name in ("flops", "read_bytes", "write_bytes"):
        assert found["prefill"][name] + found["decode"][name] == found["total"][name]
    assert sum(row["params"] for row in found["by_parameter"]) == found["total"]["params"]
    assert json.dumps(found)


def test_the_table_says_what_a_token_costs() -> None:
    """Below the table, with its two parts."""
    table = str(graphacct.account("gpt2", phase="generate", prompt_len=6, new_tokens=4, set=GPT2))
    text = " ".join(table.split())
    assert "prompt_len 6, new_tokens 4" in text
    assert "per new token" in text
    assert "all decoding steps" in text


def test_recurrent_models() -> None:
    """Mamba's state does not grow: every step costs the same, and nothing is in a cache of keys and values."""
    pytest.importorskip("graphacct_mamba")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "vocab_size": 60, "state_size": 4}
    one, more = (
        graphacct.account("mamba", phase="generate", prompt_len=6, new_tokens=new, set=sizes) for new in (11, 21)
    )
    step = graphacct.account("mamba", phase="decode", cache_len=6, set=sizes)
    assert more.total["flops"] - one.total["flops"] == 10 * step.total["flops"]
    assert one.to_dict()["kv_cache_bytes"] == 0


def test_the_library_way_of_latent_attention() -> None:
    """The header says both kinds of attention: the prompt expands its latents, a step reads them as they are."""
    found = graphacct.account("deepseek_v3", phase="generate", prompt_len=6, new_tokens=4, set=LATENT)
    assert found.workload["attention"] == "fused, then absorbed"


@pytest.mark.parametrize(
    ("model", "asked", "message"),
    [
        ("gpt2", {}, "phase='generate' needs prompt_len= and new_tokens=: the tokens of the prompt, and those that"),
        ("gpt2", {"prompt_len": 3}, "phase='generate' needs new_tokens="),
        ("gpt2", {"prompt_len": 3, "new_tokens": 0}, "new_tokens"),
        ("gpt2", {"prompt_len": 3, "new_tokens": 2, "seq_len": 4}, "seq_len: of a single step; a generation has"),
        ("gpt2", {"prompt_len": 3, "new_tokens": 2, "cache_len": 4}, "cache_len: of a single step"),
        ("gpt2", {"prompt_len": 1000, "new_tokens": 200}, "beyond n_positions 1024"),
        ("gpt2", {"prompt_len": 3, "new_tokens": 2, "freeze": ["*"]}, "freeze: of a training step alone"),
        ("gpt2", {"prompt_len": 3, "new_tokens": 2, "loss": "sum"}, "loss 'sum' is what a training step"),
        (
            "bert-base-uncased",
            {"prompt_len": 3, "new_tokens": 2},
            "'bert-base-uncased' has no phase 'generate': it",
        ),
        ("resnet50", {"prompt_len": 3, "new_tokens": 2}, "has no phase 'generate'"),
    ],
)
def test_what_a_generation_cannot_be_asked(model: str, asked: dict[str, Any], message: str) -> None:
    """Every refusal says what to give."""
    with pytest.raises(ConfigError) as caught:
        graphacct.account(model, phase="generate", **asked)
    assert message in str(caught.value)


def test_symbols_and_arrays_are_refused() -> None:
    """Steps are added up one by one, and their number has to be known."""
    sympy = pytest.importorskip("sympy")
    size = sympy.Symbol("n", integer=True, positive=True)
    with pytest.raises(ConfigError, match="prompt_len is n: a generation adds up whole steps, so give a number"):
        graphacct.account("gpt2", phase="generate", prompt_len=size, new_tokens=2)
    with pytest.raises(ConfigError, match="give a number for every size, no symbol and no array"):
        graphacct.account("gpt2", phase="generate", prompt_len=3, new_tokens=2, batch=size)


def test_a_generation_is_no_graph() -> None:
    """Nothing but reports, comparisons and memory takes it."""
    with pytest.raises(ConfigError, match="a generation is many steps, each with a graph of its own: report, compare"):
        graphacct.build("gpt2", phase="generate", prompt_len=3, new_tokens=2)
    with pytest.raises(ConfigError, match="prompt_len is a size of a generation: add phase='generate'"):
        graphacct.account("gpt2", prompt_len=3)
    with pytest.raises(ConfigError, match="'gpt2' is a finished graph of the phase 'forward', which has no phase 'gen"):
        graphacct.account(graphacct.build("gpt2", seq_len=4), phase="generate", prompt_len=3, new_tokens=2)
    found = graphacct.account("gpt2", phase="generate", prompt_len=3, new_tokens=2)
    with pytest.raises(ConfigError, match="an explanation of a generation: it is many steps"):
        graphacct.explain(found, "lm_head")
    with pytest.raises(ConfigError, match="a picture of a generation"):
        graphacct.draw(found)


def steps(of: Any, last: int = 1000) -> Steps:
    """Steps on 10 to `last` cached tokens with one figure."""
    return Steps(lambda length: Sample("same", (of(length),)), 10, last)


@pytest.mark.parametrize(
    "of",
    [
        lambda c: 7,
        lambda c: 3 * c + 1,
        lambda c: 2 * c * c - c,
        lambda c: min(c, 333),
        lambda c: min(c, 12) + 2 * min(c, 990) + c,
        lambda c: max(0, c - 500) * c,
        lambda c: c if c < 640 else 5 * c + 100,
    ],
)
def test_polynomials_in_pieces_are_added_up_exactly(of: Any) -> None:
    """Wherever they bend, without a mark there: a piece whose samples disagree is cut in halves."""
    found = steps(of)
    pieces = list(found.pieces())
    assert [piece[0] for piece in pieces[1:]] == [stop + 1 for _, stop in pieces[:-1]]
    assert sum(found.sums(*piece)[0] for piece in pieces) == sum(map(of, range(10, 1001)))
    assert len(found.samples) < 120


def test_steps_that_follow_no_polynomial_are_refused() -> None:
    """A figure that jumps all the time would need every step."""
    with pytest.raises(ConfigError, match="on 10 to 100,000 cached tokens follow no few polynomials: account"):
        list(steps(lambda c: c % 7, 100_000).pieces())
