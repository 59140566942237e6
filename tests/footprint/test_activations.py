"""What tiny models of many families keep, and the most that is alive, against torch and the transformers library."""

import json

import pytest
import runs

import graphacct
from graphacct.footprint.liveness import live_bytes

FOLDERS = runs.GOLDENS / "activations"
SOURCE = 24
"""Tokens of the encoder of text beside a decoder."""


def measured(*names):
    """The measured runs of these models, each with a name; of all of them without names."""
    for name in names or sorted(path.name for path in FOLDERS.iterdir() if path.is_dir()):
        for run in json.loads((FOLDERS / name / "truth.json").read_text())["runs"]:
            what = [run["dtype"], run["attention"], run["dropout"], run["batch"]]
            what += ["checkpointing"] * run["checkpointing"]
            yield pytest.param(name, run, id="-".join(map(str, (name, *what))))


def options(name, run):
    """How the run is asked for."""
    config = json.loads((FOLDERS / name / "config.json").read_text())
    floats = [key for key, value in config.items() if isinstance(value, float) and "drop" in key]
    drops = [key for key in floats if "layerdrop" not in key and "classifier" not in key]
    asked = {"batch": run["batch"], "dtype": run["dtype"], "set": dict.fromkeys(drops, run["dropout"])}
    if name not in ("resnet", "mamba"):
        asked["attention"] = run["attention"]
    if name == "resnet":
        asked["image_size"] = 64
    elif name != "vit":
        asked["seq_len"] = run["size"]
    if name in ("t5", "bart"):
        asked["encoder_seq_len"] = SOURCE
    return asked


def scheduled(name, run, training=True, loss="sum"):
    phase = {"phase": "train", "loss": loss} if training else {}
    graph = graphacct.build(FOLDERS / name, **options(name, run), **phase)
    policy = "full" if run["checkpointing"] else "none"
    return runs.scheduled(graph, recompute=policy, trained=lambda parameter: training and parameter.trainable)


def figures(name, run, loss="sum"):
    """Bytes and storages kept, the forward pass's peak and the whole step's, its gradients added as under a mode."""
    steps = scheduled(name, run, loss=loss)
    saved, back = runs.passed(steps, in_place=False)
    return {
        "kept": sum(item.bytes for item in saved),
        "forward_peak": max(live_bytes(steps, saved)),
        "step_peak": max(live_bytes(steps, saved, back, fresh=True)),
    }


def differences(name, run):
    """By how much graphacct's figures are below the measured ones, by name; with a loss of the model's own too."""
    found = {key: run[key] - value for key, value in figures(name, run).items()}
    if "loss_kept" in run:
        entropy = figures(name, run, "cross_entropy")
        found |= {f"loss_{key}": run[f"loss_{key}"] - value for key, value in entropy.items()}
    if "peak_without_gradients" in run:
        found["peak_without_gradients"] = run["peak_without_gradients"] - max(
            live_bytes(scheduled(name, run, training=False))
        )
    return found


EQUAL = (
    "bart",
    "gemma2",
    "gpt_neox",
    "llama",
    "llama-grouped",
    "mistral-window",
    "qwen3",
    "resnet",
    "t5",
    "vit",
    "whisper",
)


@pytest.mark.parametrize(("name", "run"), [item for item in measured(*EQUAL) if not item.values[1]["checkpointing"]])
def test_training_and_inference_take_what_torch_takes(name, run):
    """Bytes kept, with the outputs' sum as the loss and with the model's own, the peaks of the forward pass and of the
    whole step, and the peak of a pass without gradients: all equal, in float32 and in bfloat16."""
    assert set(differences(name, run).values()) == {0}


@pytest.mark.parametrize(
    ("name", "run"), [item for item in measured("mixtral", "qwen3_moe") if not item.values[1]["checkpointing"]]
)
def test_a_training_step_with_experts(name, run):
    """Bytes kept and the whole step's peak, equal. The library sorts the experts' ids in variables that are not in the
    graph: the peak of a pass without gradients is at most 4 % low, and the forward peak by what its copies of a row's
    expert take, 4 bytes a row (two of each token) and 4 an expert, where one is the highest."""
    found = differences(name, run)
    assert {found.pop("kept"), found.pop("step_peak")} == {0}
    assert 0 <= found.pop("peak_without_gradients", 0) <= 0.04 * run.get("peak_without_gradients", 0)
    assert 0 <= found.pop("forward_peak") <= 4 * 2 * run["batch"] * run["size"] + 4 * 8
    assert set(found.values()) <= {0}


@pytest.mark.parametrize(
    ("name", "run"), [item for item in measured("deepseek_v3") if not item.values[1]["checkpointing"]]
)
def test_latent_attention_and_groups_of_experts(name, run):
    """What DeepSeek-V3 keeps, equal; not its peaks, for its router and its rotary positions run as other kernels."""
    found = differences(name, run)
    assert found["kept"] == found.get("loss_kept", 0) == 0


@pytest.mark.parametrize(("name", "run"), [item for item in measured("mamba") if item.values[1]["dtype"] == "float32"])
def test_a_scan_keeps_what_its_loop_does(name, run):
    """What Mamba keeps in float32, equal, though torch runs the scan as a loop over the tokens. Its peaks and its bytes
    in 16 bits, where each token's kernels cast, are those of the loop and not the scan's."""
    found = differences(name, run)
    assert found["kept"] == found["loss_kept"] == 0


@pytest.mark.parametrize(("name", "run"), [item for item in measured(*EQUAL) if item.values[1]["checkpointing"]])
def test_activation_checkpointing(name, run):
    """Layers that are run again keep what torch keeps, with the ids of positions that they are given and do not read;
    the peaks are equal too. T5's first layer makes the biases by distance and makes them again when it runs again; here
    they run again on their own, last, so the step's peak may lack them, or a part: the ids of size · size distances, 8
    bytes each, and a float for each of them and each of 4 heads."""
    if name == "t5":
        found = differences(name, run)
        biases = (8 + 4 * 4) * run["size"] ** 2
        assert all(0 <= found.pop(key) <= biases for key in ("step_peak", "loss_step_peak"))
        assert set(found.values()) == {0}
        return
    assert set(differences(name, run).values()) == {0}
