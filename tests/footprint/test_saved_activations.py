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
TYPES = json.loads((runs.GOLDENS / "saved_of_types.json").read_text())["types"]
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
        "AutoencoderDC",
        "AutoencoderKLQwenImage",
        "AutoencoderKLWan",
        "AutoencoderTiny",
        "diffusion_pipeline",
        "Bee",
        "Dream",
        "Klear",
        "NVLM_D",
        "PanguEmbedded",
        "TeleFLM",
        "afm7",
        "arctic",
        "aria",
        "audioflamingo3_encoder",
        "baichuan",
        "baichuan_m1",
        "bailing_moe",
        "bailing_moe_v2",
        "bamba",
        "bee",
        "blip-2",
        "chameleon",
        "chatglm",
        "clipseg",
        "codeshell",
        "cohere_asr",
        "cohere_compass_text",
        "cohere_compass_vision",
        "colmodernvbert",
        "colpali",
        "colqwen2",
        "conditional_detr",
        "cosmos3_edge",
        "cosmos3_edge_text",
        "cosmos3_omni",
        "d_fine",
        "dab-detr",
        "dac",
        "dbrx",
        "deberta",
        "deepseek",
        "deepseek_ocr2",
        "deepseek_ocr2_text",
        "deepseek_v4",
        "deepseek_vl",
        "deepseek_vl_hybrid",
        "deepseek_vl_v2",
        "deepseekocr",
        "deformable_detr",
        "deimv2",
        "depth_anything",
        "detr",
        "doge",
        "dots1",
        "dots_ocr",
        "dots_vit",
        "dpt",
        "eagle_2_5_vl",
        "emu3",
        "emu3_text_model",
        "encodec",
        "encoder-decoder",
        "ernie4_5_vl_moe",
        "ernie4_5_vl_moe_text",
        "esm",
        "exaone",
        "exaone4_5",
        "falcon_h1",
        "fastspeech2_conformer",
        "fastspeech2_conformer_with_hifigan",
        "fsmt",
        "fun_asr_nano",
        "fun_asr_nano_encoder",
        "funnel",
        "fuyu",
        "gemma3",
        "gemma3n",
        "gemma3n_text",
        "gemma3n_vision",
        "gemma4",
        "gemma4_unified",
        "gemma4_vision",
        "glm46v",
        "glm4v",
        "glm4v_moe",
        "glm4v_moe_text",
        "glm4v_text",
        "glm_image_text",
        "glm_ocr",
        "glm_ocr_text",
        "glmga",
        "got_ocr2",
        "gpt_refact",
        "granite4_vision",
        "granite_docling_text",
        "granite_speech",
        "granite_speech_encoder",
        "granite_speech_plus",
        "granite_speech_plus_encoder",
        "granitemoehybrid",
        "grok-1",
        "grounding-dino",
        "grove_moe",
        "h2ovl_chat",
        "hifigan",
        "hrm_text",
        "hunyuan_v1_dense",
        "hunyuan_v1_moe",
        "hunyuan_vl",
        "hunyuan_vl_text",
        "ibert",
        "idefics",
        "idefics2",
        "idefics2_vision",
        "idefics3",
        "idefics3_vision",
        "instructblip",
        "instructblipvideo",
        "intern_vit_6b",
        "internlm2",
        "interns1",
        "interns1_vision",
        "internvl_chat",
        "iquestloopcoder",
        "jais",
        "janus",
        "jetmoe",
        "jina_bert",
        "kimi_k25",
        "kimi_k25_vision",
        "kimi_vl",
        "kormo",
        "kosmos-2",
        "kosmos-2.5",
        "led",
        "lfm2_moe",
        "lille-130m",
        "llada",
        "llada_moe",
        "lladamoe",
        "llama4",
        "llama4_vision_model",
        "llama_bidirec",
        "llava_next",
        "llava_next_video",
        "llava_onevision",
        "longcat_flash",
        "m2m_100",
        "maincoder",
        "mask2former",
        "maskformer",
        "mimi",
        "mimi_decoder",
        "mimi_encoder",
        "mimo",
        "mimo_v2",
        "minicpm",
        "minicpm3",
        "minicpm_ocr",
        "minicpmv4_6",
        "minimax_m3",
        "ministral",
        "mllama",
        "mllama_text_model",
        "mm-grounding-dino",
        "modernbert-decoder",
        "molmo2",
        "molmo2_text",
        "moonshine",
        "moonshine_streaming",
        "moonvit",
        "moss_transcribe_diarize_audio",
        "mpt",
        "mt5",
        "muse_glimmer",
        "muse_glimmer_text",
        "musicgen_decoder",
        "nemotron-nas",
        "nemotron_h",
        "neobert",
        "new",
        "open_clip",
        "opencua",
        "openelm",
        "openpangu_dense",
        "orion",
        "paddleocr_vl",
        "paddleocr_vl_text",
        "paddleocr_vl_vision",
        "paligemma",
        "pangu_ultra_moe",
        "param2moe",
        "phi3_v",
        "phi3small",
        "phi4_multimodal",
        "phimoe",
        "phixtral",
        "pix2struct",
        "plamo",
        "plamo3",
        "plm",
        "pp_chart2table",
        "pp_ocrv5_mobile_det",
        "prompt_depth_anything",
        "qwen",
        "qwen2_5_omni",
        "qwen2_5_omni_audio_encoder",
        "qwen2_5_omni_text",
        "qwen2_5_omni_thinker",
        "qwen2_5_omni_vision_encoder",
        "qwen2_5_vl",
        "qwen2_5_vl_text",
        "qwen2_audio",
        "qwen2_vl",
        "qwen2_vl_text",
        "qwen2_vl_vision",
        "qwen3_5",
        "qwen3_5_moe",
        "qwen3_5_moe_text",
        "qwen3_5_text",
        "qwen3_asr",
        "qwen3_asr_encoder",
        "qwen3_omni_moe",
        "qwen3_omni_moe_audio_encoder",
        "qwen3_omni_moe_text",
        "qwen3_omni_moe_thinker",
        "qwen3_omni_moe_vision_encoder",
        "qwen3_vl",
        "qwen3_vl_moe",
        "qwen3_vl_moe_text",
        "qwen3_vl_moe_vision",
        "qwen3_vl_text",
        "qwen3_vl_vision",
        "rnd1",
        "rt_detr",
        "rt_detr_v2",
        "sam",
        "sam2",
        "sam2_video",
        "sam3",
        "sam3_tracker",
        "sam3_video",
        "sam3_vision_model",
        "sam3_vit_model",
        "sam_hq",
        "sam_hq_vision_model",
        "sam_vision_model",
        "sarvam_mla",
        "sarvam_moe",
        "seamless_m4t",
        "seamless_m4t_v2",
        "sew-d",
        "shieldgemma2",
        "skywork_chat",
        "smallthinker",
        "smolvlm",
        "smolvlm_vision",
        "solar",
        "speech-encoder-decoder",
        "speecht5",
        "step1",
        "step3p5",
        "step3p5_vision",
        "step3p7",
        "superpoint",
        "switch_transformers",
        "t5_gemma_module",
        "t5gemma2",
        "table-transformer",
        "telechat",
        "telechat2",
        "telechat3",
        "timm_backbone",
        "timm_wrapper",
        "ultravox",
        "umt5",
        "univnet",
        "unlimited_ocr",
        "unlimited_ocr_text",
        "upernet",
        "vibevoice_acoustic_tokenizer_encoder",
        "vibevoice_asr",
        "vilt",
        "vipllava",
        "vision-encoder-decoder",
        "visual_bert",
        "vitmatte",
        "vitpose",
        "vits",
        "vjepa2",
        "vlm",
        "voxtral",
        "voxtral_realtime",
        "voxtral_realtime_encoder",
        "xglm",
        "xlm-roberta-xl",
        "xmod",
        "xverse",
        "yoso",
        "youtu_llm",
        "zamba",
        "zamba2",
    ]
)
"""Types that have no shape here, and are not in saved_of_types.json. `graphacct verify --torch` compared what most of
them save when they were written, and their goldens hold parameters and FLOPs; one member of each new mechanism has its
saved bytes in its plugin's tests."""


def test_every_family_is_measured():
    """Every model_type that the installed architectures read has a shape, but those that no transformers class has, and
    those of the list, which names no type that has one: a new type is measured, or named there."""
    families = {name for found in default().architectures.values() for name in found.model_types}
    older = {"RefinedWeb", "RefinedWebModel", "phi-msft", "mixformer-sequential", "stablelm_epoch"}
    measured = {name.split()[0] for name in (*SHAPES, *TYPES)}
    of_diffusers = {name for name in families if name.endswith("Model") or name == "AutoencoderKL"}  # by their plugin
    assert families - older - of_diffusers - {"transformer-lm", "transformer_lm"} - NOT_MEASURED <= measured
    assert not NOT_MEASURED & measured
    assert families >= NOT_MEASURED
