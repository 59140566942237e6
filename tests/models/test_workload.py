"""The sizes of a workload: which a model takes, and what they may be."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from click.testing import CliRunner

import graphacct
from graphacct import fields
from graphacct.cli import cli
from graphacct.models.workload import Workload, in_seconds


@attrs.frozen
class Config:
    """A sound's encoder."""

    width: int = fields.size(4)
    rate: int = fields.size(16_000)


def build(config: Any, workload: Workload, b: Any) -> Any:
    """One layer on each sample."""
    x = b.input("sound", (workload.batch * workload.audios, workload.samples, 1))
    return b.apply("linear", x, b.parameter("weight", (config.width, 1)), name="layer")


SOUND = graphacct.Architecture(
    "sound",
    Config,
    build,
    {},
    sizes={"audios": lambda config: 1, "samples": lambda config: 160},
    per_second={"samples": lambda config: config.rate},
)


def workload(**given: Any) -> Workload:
    """What the architecture makes of a workload."""
    return SOUND.workload(Config(), Workload(**given))


def test_defaults_are_the_architectures() -> None:
    """A size that is not given is the architecture's; one that it does not take stays None."""
    found = workload()
    assert (found.audios, found.samples, found.images, found.audio_seconds) == (1, 160, None, None)


@pytest.mark.parametrize(
    ("seconds", "samples"), [(1, 16_000), (2.5, 40_000), (0.7, 11_200), (0.29, 4_640), (0.0001, 1)]
)
def test_seconds_stand_for_samples(seconds: float, samples: int) -> None:
    """A length in seconds is counted in whole samples, exactly: 0.29 × 16,000 = 4,640, in floats 4,639.99…."""
    assert workload(audio_seconds=seconds).samples == samples


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images": 2}, "sound has no images: its workload is batch, audios, samples, audio_seconds"),
        ({"points": 2}, "sound has no points: its workload is batch, audios, samples, audio_seconds"),
        ({"audios": -1}, "audios must be at least 0 and below 2**63, not -1"),
        ({"samples": 0}, "samples must be positive and below 2**63, not 0"),
        ({"audio_seconds": 0}, "audio_seconds is a positive number of seconds, not 0"),
        ({"audio_seconds": "30"}, "audio_seconds is a positive number of seconds, not '30'"),
        ({"audio_seconds": float("nan")}, "audio_seconds is a positive number of seconds, not nan"),
        (
            {"audio_seconds": 0.00001},
            "audio_seconds 1e-05 is less than one of the samples, of which there are 16000 a second",
        ),
        (
            {"audio_seconds": 1, "samples": 5},
            "audio_seconds 1 and samples 5 both say how long a sound is: leave one out",
        ),
    ],
)
def test_what_a_size_cannot_be(given: dict[str, Any], message: str) -> None:
    """An error names the size, its value and what the model takes."""
    with pytest.raises(graphacct.ConfigError) as error:
        workload(**given)
    assert str(error.value) == message


def test_a_model_without_sounds_has_no_seconds() -> None:
    """What a size stands for is the architecture's to say."""
    with pytest.raises(graphacct.ConfigError, match="gpt2 has no audio_seconds: its workload is batch, seq_len"):
        graphacct.account("gpt2", audio_seconds=3)


def test_a_length_may_be_a_symbol() -> None:
    """Seconds times the rate."""
    sympy = pytest.importorskip("sympy")
    seconds = sympy.Symbol("t", positive=True, integer=True)
    assert in_seconds(seconds, 100, "frames") == 100 * seconds


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--images", "2", "gpt2 has no --images"),
        ("--tiles", "2", "gpt2 has no --tiles"),
        ("--audios", "2", "gpt2 has no --audios"),
        ("--frames", "2", "gpt2 has no --frames"),
        ("--samples", "16k", "gpt2 has no --samples"),
        ("--audio-seconds", "2.5", "gpt2 has no --audio-seconds"),
        ("--points", "2", "gpt2 has no --points"),
        ("--choices", "2", "gpt2 has no --choices"),
        ("--audio-seconds", "long", "'long' is no number of seconds: write 30 or 2.5"),
    ],
)
def test_the_command_line_has_the_same_words(option: str, value: str, said: str) -> None:
    """Each size is an option."""
    result = CliRunner().invoke(cli, ["report", "gpt2", option, value])
    assert result.exit_code
    assert said in f"{result.output}{result.exception}"
