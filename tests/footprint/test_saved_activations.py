"""What a training step saves, of every family and in the shapes that change it, against torch on a CPU.

tests/goldens/saved_activations.json was measured by tests/verify/saved_activations.py.
"""

import json

import pytest
import runs

import graphacct
from graphacct.footprint.activations import Activations
from graphacct.hooks.manager import default
from graphacct.training.recompute import find_policy, recompute_plan

SHAPES = json.loads((runs.GOLDENS / "saved_activations.json").read_text())["shapes"]
SIZES = ("batch", "seq_len", "encoder_seq_len", "image_size")
WITHOUT_ATTENTION = ("resnet", "convnext", "mamba", "mamba2")
DEEPSEEK = dict.fromkeys(("bfloat16 eager", "bfloat16 fused"), 2 * 4 * 48 * 4)
"""Since 5.24 the library has the router's weight in float32 itself; before, two layers of experts each save a copy."""
DIFFERENT: dict[str, dict[str, int]] = {
    **dict.fromkeys(("deepseek_v2", "deepseek_v2 groups", "deepseek_v3"), DEEPSEEK),
    "t5 single": {
        f"{dtype} {attention} checkpointed": (2 if dtype == "bfloat16" else 4) * 4 * (12 * 12 + 20 * 20 + 20 * 12)
        for dtype in ("float32", "bfloat16")
        for attention in ("eager", "fused")
    },  # biases by distance of 4 heads, of both stacks and between them: the one layer that reads them makes them again
    "mamba": {"bfloat16 eager": -70464},
    "mamba2": {"float32 eager": -2496, "bfloat16 eager": -32832, "bfloat16 eager checkpointed": 1920},
    "mamba2 whole chunks": {"bfloat16 eager": -27360, "bfloat16 eager checkpointed": 1920},
    "jamba": {
        **dict.fromkeys(("bfloat16 eager", "bfloat16 fused"), -63072),
        **dict.fromkeys(("bfloat16 eager checkpointed", "bfloat16 fused checkpointed"), 3840),
    },
}
"""The runs that are not equal: graphacct's bytes above torch's. Runs may leave this table, and none may come in."""


def saved(name, folder):
    """The bytes that each run of a shape saves, by the golden's names of runs."""
    shape, plugins, found = SHAPES[name], default(), {}
    family = name.split()[0]
    (folder / "config.json").write_text(json.dumps(shape["config"]))
    sizes = {key: shape[key] for key in SIZES if key in shape}
    for label in shape["saved_bytes"]:
        dtype, kind, *again = label.split()
        if not again:
            attention = {} if family in WITHOUT_ATTENTION else {"attention": kind}
            graph = graphacct.build(folder, phase="train", loss="sum", dtype=dtype, **attention, **sizes)
        policy = find_policy("full" if again else "none", plugins.recompute_policies)
        plan = recompute_plan(graph, policy, plugins.operators)
        profile = plugins.profiles["torch-eager-cpu"]
        step = Activations(graph, plugins.operators, profile, lambda parameter: parameter.trainable, plan)
        found[label] = step.saved_bytes
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_every_family_saves_what_torch_saves(name, tmp_path):
    """Up to the sum of the outputs, in float32 and bfloat16, with attention written out and fused, and with each layer
    checkpointed: equal to the byte, but for the runs of the table."""
    truth = SHAPES[name]["saved_bytes"]
    found = {label: size - truth[label] for label, size in saved(name, tmp_path).items()}
    assert {label: size for label, size in found.items() if size} == DIFFERENT.get(name, {})


def test_few_runs_are_not_equal():
    """How many of the runs differ, and that the table names shapes that exist."""
    assert set(DIFFERENT) <= set(SHAPES)
    assert sum(map(len, DIFFERENT.values())) <= 20


NOT_MEASURED = frozenset(
    [
        "Dream",
        "Klear",
        "NVLM_D",
        "PanguEmbedded",
        "TeleFLM",
        "afmoe",
        "albert",
        "apertus",
        "arcee",
        "arctic",
        "aria",
        "aria_text",
        "audio-spectrogram-transformer",
        "audioflamingo3",
        "audioflamingo3_encoder",
        "axk1",
        "aya_vision",
        "baichuan",
        "bailing_hybrid",
        "bailing_moe",
        "bailing_moe_v2",
        "bamba",
        "bee",
        "beit",
        "biogpt",
        "bitnet",
        "blenderbot",
        "blenderbot-small",
        "blip-2",
        "blip_2_vision_model",
        "camembert",
        "chameleon",
        "chatglm",
        "codeshell",
        "cohere2",
        "cohere2_moe",
        "cohere2_vision",
        "conditional_detr",
        "convnextv2",
        "cosmos3_edge",
        "cosmos3_edge_text",
        "cosmos3_edge_vision",
        "ctrl",
        "cwm",
        "data2vec-audio",
        "data2vec-text",
        "data2vec-vision",
        "dbrx",
        "deberta",
        "deberta-v2",
        "deepseek",
        "deit",
        "depth_anything",
        "detr",
        "diffllama",
        "dinov2",
        "dinov2_with_registers",
        "dinov3_convnext",
        "dinov3_vit",
        "donut-swin",
        "dots1",
        "dots_ocr",
        "dots_vit",
        "dpt",
        "eagle_2_5_vl",
        "efficientnet",
        "encoder-decoder",
        "ernie",
        "ernie4_5",
        "ernie4_5_moe",
        "ernie4_5_vl_moe",
        "ernie4_5_vl_moe_text",
        "ernie4_5_vl_moe_vision",
        "exaone",
        "exaone4",
        "exaone4_5",
        "exaone4_5_vision",
        "exaone_moe",
        "falcon_h1",
        "falcon_mamba",
        "flex_olmo",
        "fuyu",
        "gemma3",
        "gemma3n_text",
        "gemma4",
        "gemma4_audio",
        "gemma4_unified",
        "gemma4_unified_text",
        "gemma4_vision",
        "glm",
        "glm46v",
        "glm4_moe",
        "glm4_moe_lite",
        "glm4v",
        "glm4v_moe",
        "glm4v_moe_text",
        "glm4v_moe_vision",
        "glm4v_text",
        "glm4v_vision",
        "glm_ocr",
        "glm_ocr_text",
        "glm_ocr_vision",
        "glmasr",
        "glmasr_encoder",
        "glpn",
        "gpt-sw3",
        "gpt_bigcode",
        "gpt_neox_japanese",
        "granite4_vision",
        "granite_swa",
        "granitemoe",
        "granitemoe_swa",
        "granitemoehybrid",
        "granitemoeshared",
        "grok-1",
        "h2ovl_chat",
        "helium",
        "hgnet_v2",
        "hrm_text",
        "hubert",
        "hunyuan_v1_dense",
        "hunyuan_v1_moe",
        "hunyuan_vl",
        "hunyuan_vl_text",
        "hunyuan_vl_vision",
        "hy_v3",
        "hyperclovax",
        "idefics2",
        "idefics2_vision",
        "idefics3",
        "idefics3_vision",
        "ijepa",
        "intern_vit_6b",
        "internlm2",
        "internlm3",
        "interns1",
        "interns1_vision",
        "internvl",
        "internvl_chat",
        "internvl_vision",
        "iquestcoder",
        "jais2",
        "janus",
        "kimi_linear",
        "kimi_vl",
        "kormo",
        "laguna",
        "lfm2",
        "lfm2_moe",
        "lfm2_vl",
        "lighton_ocr",
        "llama4",
        "lille-130m",
        "llada",
        "llama4_text",
        "llama4_vision_model",
        "llama_bidirec",
        "llava",
        "llava_next",
        "llava_next_video",
        "llava_onevision",
        "m2m_100",
        "maincoder",
        "marian",
        "maskformer-swin",
        "mbart",
        "megatron-bert",
        "mellum",
        "mimo",
        "mimo_v2_flash",
        "minicpm",
        "minicpm3",
        "minicpmv4_6",
        "minimax",
        "minimax_m2",
        "ministral",
        "ministral3",
        "mistral3",
        "mllama",
        "mllama_text_model",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilevit",
        "mobilevitv2",
        "modernbert",
        "moonvit",
        "moss_transcribe_diarize",
        "moss_transcribe_diarize_audio",
        "mpnet",
        "mpt",
        "mt5",
        "muse_glimmer",
        "muse_glimmer_text",
        "muse_glimmer_vision",
        "musicflamingo",
        "nanochat",
        "nemotron-nas",
        "nemotron_h",
        "olmo",
        "olmo3",
        "olmo_hybrid",
        "olmoe",
        "openai-gpt",
        "opencua",
        "openelm",
        "openpangu_dense",
        "orion",
        "paddleocr_vl",
        "paddleocr_vl_text",
        "paddleocr_vl_vision",
        "paligemma",
        "parakeet_ctc",
        "parakeet_encoder",
        "param2moe",
        "pegasus",
        "persimmon",
        "phi3_v",
        "phimoe",
        "pixtral",
        "plamo",
        "plamo3",
        "plbart",
        "poolformer",
        "pvt",
        "pvt_v2",
        "qianfan_ocr",
        "qianfan_ocr_vision",
        "qwen",
        "qwen2_5_omni_audio_encoder",
        "qwen2_5_vl",
        "qwen2_5_vl_text",
        "qwen2_5_vl_vision",
        "qwen2_audio",
        "qwen2_audio_encoder",
        "qwen2_vl",
        "qwen2_vl_text",
        "qwen2_vl_vision",
        "qwen3_5",
        "qwen3_5_moe",
        "qwen3_5_moe_text",
        "qwen3_5_moe_vision",
        "qwen3_5_text",
        "qwen3_5_vision",
        "qwen3_asr",
        "qwen3_asr_encoder",
        "qwen3_next",
        "qwen3_omni_moe_audio_encoder",
        "qwen3_vl",
        "qwen3_vl_moe",
        "qwen3_vl_moe_text",
        "qwen3_vl_moe_vision",
        "qwen3_vl_text",
        "qwen3_vl_vision",
        "regnet",
        "sarvam_mla",
        "sarvam_moe",
        "seed_oss",
        "segformer",
        "sew",
        "siglip",
        "siglip2",
        "siglip2_vision_model",
        "siglip_text_model",
        "siglip_vision_model",
        "skywork_chat",
        "smolvlm",
        "smolvlm_vision",
        "solar",
        "solar_open",
        "speech-encoder-decoder",
        "step1",
        "step3p5",
        "swin",
        "swinv2",
        "table-transformer",
        "telechat",
        "telechat2",
        "telechat3",
        "trocr",
        "umt5",
        "unispeech",
        "unispeech-sat",
        "upernet",
        "vaultgemma",
        "video_llama_3",
        "video_llama_3_vision",
        "vipllava",
        "vision-encoder-decoder",
        "vision-text-dual-encoder",
        "vit_mae",
        "vit_msn",
        "voxtral",
        "voxtral_encoder",
        "wav2vec2",
        "wav2vec2-bert",
        "wav2vec2-conformer",
        "wavlm",
        "xglm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xverse",
        "yolos",
        "youtu",
        "youtu_llm",
        "zamba2",
    ]
)
"""Types that have no shape here. `graphacct verify --torch` compared what most of them save when they were written, and
their goldens hold parameters and FLOPs; one member of each new mechanism has its saved bytes in its plugin's tests."""


def test_every_family_is_measured():
    """Every model_type that the installed architectures read has a shape, but those that no transformers class has, and
    those of the list, which names no type that has one: a new type is measured, or named there."""
    families = {name for found in default().architectures.values() for name in found.model_types}
    older = {"RefinedWeb", "RefinedWebModel", "phi-msft", "mixformer-sequential", "stablelm_epoch"}
    measured = {name.split()[0] for name in SHAPES}
    assert families - older - {"transformer-lm", "transformer_lm"} - NOT_MEASURED <= measured
    assert not NOT_MEASURED & measured
    assert families >= NOT_MEASURED
