"""Which kernels a profile runs, and what they keep: fused and composed norms, the attention kernels by device."""

import pytest
from runs import scheduled

import graphacct
from graphacct import Builder, TensorSpec, memory
from graphacct.execution.saved_storages import saved_bytes
from graphacct.hooks.manager import default
from graphacct.operators.saves import saved_tensors

OFF = dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), 0.0)
SDPA = "scaled_dot_product_attention"


def llama_layer(s=2048, h=4096, heads=32, shared=8, d_ff=14336):
    """One layer of Llama-3-8B in bfloat16: RMSNorm, rotary positions, 8 heads of keys and values for 32, SwiGLU."""
    d = h // heads
    b = Builder("llama-layer", dtype="bfloat16")

    def linear(name, x, width):
        return b.apply("linear", x, b.parameter(f"{name}.weight", (width, x.spec.shape[-1])), name=name)

    def norm(name, x):
        return b.apply("rms_norm", x, b.parameter(f"{name}.weight", (h,)), name=name)

    def heads_of(name, x, count, *tables):
        joint = linear(name, x, count * d)
        if tables:  # before the heads are split, so that the result lies in memory as the library's does
            joint = b.apply("rotary_embedding", joint, *tables)
        return b.apply("transpose", b.apply("reshape", joint, shape=(1, s, count, d)), dims=(1, 2))

    def for_all(x):
        apart = b.apply("reshape", x, shape=(1, shared, 1, s, d))
        wide = b.apply("expand", apart, shape=(1, shared, heads // shared, s, d))
        return b.apply("reshape", wide, shape=(1, heads, s, d))

    x = b.apply("embedding", b.input("ids", (1, s), "int64"), b.parameter("embed.weight", (128, h)), name="embed")
    angles = (b.input(f"{name}_float32", (s, d), "float32") for name in ("cos", "sin"))
    cos, sin = (b.apply("cast", table, dtype="bfloat16") for table in angles)
    y = norm("input_layernorm", x)
    q, k = heads_of("q_proj", y, heads, cos, sin), heads_of("k_proj", y, shared, cos, sin)
    v = heads_of("v_proj", y, shared)
    o = b.apply(SDPA, q, for_all(k), for_all(v), causal=True, name="sdpa")
    o = b.apply("reshape", b.apply("transpose", o, dims=(1, 2)), shape=(1, s, h))
    x = b.apply("add", x, linear("o_proj", o, h))
    y = norm("post_attention_layernorm", x)
    gated = b.apply("mul", b.apply("silu", linear("gate_proj", y, d_ff)), linear("up_proj", y, d_ff))
    return b.graph(b.apply("add", x, linear("down_proj", gated, h)))


def test_a_llama_layer_with_fused_norms():
    """s b [4 h (both residuals) + 4 h (both norms' outputs) + 8 (their rstd in float32) + 6 h (q, and k and v for every
    head) + 2 h (attention's output) + 4 a (logsumexp) + 8 d_ff (gate, up, silu, product)], two rotary tables of
    s d_head, the random state's 24: 370,425,880 bytes at 2,048 tokens, as measured on fake CUDA tensors."""
    s, h, a, ff, d = 2048, 4096, 32, 14336, 128
    expected = s * (4 * h + 4 * h + 8 + 6 * h + 2 * h + 4 * a + 8 * ff) + 4 * s * d + 24
    assert saved_bytes(scheduled(llama_layer(), "torch-eager-cuda")) == expected == 370_425_880


def test_a_llama_layer_with_composed_norms():
    """The transformers library's RMSNorm keeps a float32 copy of its input and the normalised one in bfloat16 in the
    place of the bfloat16 input: 4 bytes a token and channel more for each of two norms, 437,534,744 as measured."""
    expected = 370_425_880 + 2 * 4 * 2048 * 4096
    steps = scheduled(llama_layer(), "torch-eager-cuda-composed-norms")
    assert saved_bytes(steps) == expected == 437_534_744


@pytest.mark.parametrize(
    ("profile", "norms"), [("torch-eager-cuda", 0), ("torch-eager-cuda-composed-norms", 2 * 4 * 2048 * 4096)]
)
def test_a_layer_of_llama_3_8b_in_its_architecture(profile, norms):
    """What a second layer adds, and the two rotary tables of s d_head that layers share: the figures above, where each
    query head has a copy of its keys and values, or what is kept as well, has keys and values of its own. The library
    has made no such copies since its fused attention takes heads that are shared: 2 (32 - 8) heads of s d_head less."""
    s, d = 2048, 128

    def layer(**sizes):
        def kept(count):
            overrides = {"num_hidden_layers": count, **sizes}
            return memory("llama-3-8b", seq_len=s, attention="fused", profile=profile, set=overrides).saved_activations

        return kept(2) - kept(1) + 2 * 2 * s * d

    assert layer(num_key_value_heads=32) == 370_425_880 + norms
    assert layer() == 370_425_880 + norms - 2 * 24 * 2 * s * d


def test_a_float32_layer_on_a_gpu_runs_the_memory_efficient_kernel():
    """64 s b h + 4 a b ⌈s / 32⌉ 32 + 16 s b + 16: rows of the logsumexp are padded to a multiple of 32 (40 to 64), the
    random state is two int64, as torch's own shape functions for the kernel have it."""
    s, b, h, a = 40, 3, 64, 4
    sizes = {"vocab_size": 512, "n_positions": 128, "n_embd": h, "n_head": a, "activation_function": "gelu", **OFF}

    def layers(count):
        shape = {**sizes, "n_layer": count}
        return memory("gpt2", batch=b, seq_len=s, attention="fused", set=shape, dtype="fp32").saved_activations

    assert layers(9) - layers(8) == 64 * s * b * h + 4 * a * b * 64 + 16 * s * b + 16


def attention(profile, dtype="bfloat16", mask=None, d=16, e=16, shared=4, **attributes):
    """The kernels that one attention runs, for 2 x 4 heads of 40 tokens."""
    b = Builder("attention", dtype=dtype)
    parts = []
    for name, heads, width in (("q", 4, d), ("k", shared, d), ("v", shared, e)):
        parts.append(b.apply("scale", b.parameter(name, (2, heads, 40, width)), name=f"scaled_{name}"))
    if mask == "trained":
        parts.append(b.parameter("mask", (40, 40)))
    elif mask:
        parts.append(b.input("mask", (40, 40), mask))
    return scheduled(b.graph(b.apply(SDPA, *parts, **attributes)), profile)


def kernels(*arguments, **options):
    return [step.operator.name for step in attention(*arguments, **options).calls[3:]]


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ({}, SDPA),
        ({"dropout_p": 0.1}, SDPA),
        ({"dtype": "float16", "causal": True}, SDPA),
        ({"shared": 2}, SDPA),
        ({"dtype": "float32"}, "efficient_attention"),
        ({"mask": "bool"}, "efficient_attention"),
        ({"mask": "trained"}, "efficient_attention"),
        ({"e": 32}, "efficient_attention"),
        ({"d": 512, "e": 512}, "efficient_attention"),
        ({"dtype": "float32", "shared": 2}, "softmax"),
        ({"dtype": "float32", "d": 6, "e": 6}, "softmax"),
        ({"dtype": "float64"}, "softmax"),
    ],
)
def test_the_kernel_on_a_gpu(options, kernel):
    """Flash for 16 bits without a mask; memory-efficient for float32, masks and widths that flash does not take;
    written out where neither serves."""
    found = {SDPA, "efficient_attention", "softmax"} & set(kernels("torch-eager-cuda", **options))
    assert found == {kernel}


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ({}, SDPA),
        ({"mask": "bool"}, SDPA),
        ({"shared": 2}, SDPA),
        ({"dropout_p": 0.1}, "softmax"),
        ({"mask": "trained"}, "softmax"),
        ({"e": 32}, "softmax"),
    ],
)
def test_the_kernel_on_a_cpu(options, kernel):
    """Flash, but for dropout, a mask that needs a gradient, and values of another width: as torch 2.13 dispatches."""
    assert {SDPA, "softmax"} & set(kernels("torch-eager-cpu", **options)) == {kernel}


def test_a_head_that_flash_cannot_load_is_padded():
    """25 channels are padded to 32 in copies of q, k and v, which are what is kept, with the padded output: 4 tensors
    of 2 · 4 · 40 · 32 in bfloat16, the logsumexp of 2 · 4 · 40 rows in float32, and 24 bytes."""
    steps = attention("torch-eager-cuda", d=25, e=25)
    assert saved_bytes(steps) == 4 * 2 * (2 * 4 * 40 * 32) + 4 * (2 * 4 * 40) + 24


def test_a_bool_mask_is_kept_as_floats_in_its_own_shape():
    """On a CPU a mask of 40 · 40 bools becomes bfloat16, not broadcast over batch and heads, beside q, k, v, the output
    (2 · 4 · 40 · 16 each) and the logsumexp."""
    assert saved_bytes(attention("torch-eager-cpu", mask="bool")) == 2 * 40 * 40 + 4 * 2 * 5120 + 4 * 2 * 4 * 40


def test_a_written_out_attention_in_16_bits_keeps_float32():
    """q and k scaled, v, and the softmax's output, in float32, as measured on a CPU: 3 · 5,120 elements and
    2 · 4 · 40 · 40 for the softmax, and with dropout its mask and its product as well."""
    scores = 2 * 4 * 40 * 40
    trained = saved_bytes(attention("torch-eager-cpu", mask="trained"))
    dropped = saved_bytes(attention("torch-eager-cpu", dropout_p=0.1))
    assert (trained, dropped) == (4 * (3 * 5120 + scores), 4 * (3 * 5120 + 3 * scores))


STATISTICS = {
    # x, weight (None without one) and the statistics' dtype, measured with torch 2.13 on a CPU
    ("bfloat16", "bfloat16"): "bfloat16",
    ("bfloat16", "float32"): "float32",
    ("bfloat16", None): "bfloat16",
    ("float16", "float16"): "float16",
    ("float16", "float32"): "float32",
    ("float16", None): "float16",
    ("float32", "float32"): "float32",
    ("float32", None): "float32",
}


@pytest.mark.parametrize(("x", "weight"), STATISTICS)
@pytest.mark.parametrize("norm", ["layer_norm", "group_norm", "batch_norm"])
def test_statistics_on_a_cpu_have_the_weights_dtype(norm, x, weight):
    """Mean and rstd are in the dtype of the weight, or of x where there is none."""
    plugins = default()
    operators = plugins.profiles["torch-eager-cpu"].operators(plugins.operators)
    shape = (2, 8, 16) if norm == "layer_norm" else (2, 4, 8, 8)
    specs = [TensorSpec(shape, x)]
    if weight:
        specs += [TensorSpec((shape[-1] if norm == "layer_norm" else 4,), weight)] * 2
    attributes = {"group_norm": {"groups": 2}, "batch_norm": {"training": True}}.get(norm, {})
    found = saved_tensors(operators[norm], specs, attributes)
    assert {item.spec.dtype for item in found if item.name in ("mean", "rstd")} == {STATISTICS[x, weight]}


def test_mixed_dtypes_are_promoted():
    """As torch has it: bfloat16 and float32 add up in float32, two kinds of 16 bits too; a scalar widens nothing."""
    operators = default().operators
    for first, second, expected in (
        (TensorSpec((2, 3), "bfloat16"), TensorSpec((3,), "float32"), "float32"),
        (TensorSpec((2, 3), "bfloat16"), TensorSpec((3,), "float16"), "float32"),
        (TensorSpec((2, 3), "bfloat16"), TensorSpec((), "float32"), "bfloat16"),
        (TensorSpec((2, 3), "int64"), TensorSpec((3,), "float16"), "float16"),
    ):
        assert operators["add"].apply([first, second], {}).outputs[0].dtype == expected


def test_the_default_is_an_eager_gpu():
    """What a person runs today; the others are asked for by name."""
    names = list(default().profiles)
    assert names[0] == "torch-eager-cuda"
    assert set(names) >= {
        "torch-eager-cpu",
        "torch-eager-cuda-composed-norms",
        "torch-autocast-cuda",
        "torch-autocast-cpu",
    }
    assert graphacct.account("gpt2", phase="train", seq_len=8).annotated.graph.workload["profile"] == names[0]
