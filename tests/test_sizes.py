"""Sizes as people type them, of sequences and of memory; what could be two sizes is an error, never one of them."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from graphacct.cli import cli
from graphacct.errors import ConfigError
from graphacct.sizes import bytes_text, parse_bytes, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("4k", 4 * 1024),
        ("128K", 131_072),
        ("1.5k", 1536),
        ("1m", 1024**2),  # a context of 1M tokens has 1,048,576 positions
        ("10M", 10_485_760),  # max_position_embeddings of Llama 4 Scout
        ("4_096", 4096),
        ("1e9", 10**9),
        ("1.5e3", 1500),
        ("-3", -3),  # whoever uses the size knows its range
    ],
)
def test_sizes(text: str, size: int) -> None:
    """k is 1,024, as in a context of 128k; an exponent is decimal."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10,24", "'10,24' has a comma, .* write one size, as 4096"),
        ("1,024", "'1,024' has a comma, .* write one size, 1024$"),
        ("512,768", "has a comma, which may stand between thousands or between two sizes"),
        ("1.3k", r"'1.3k' is no integer \(it is 1331.2\)"),
        ("1.5", "'1.5' is no integer"),
        ("1e-3", "no integer"),
        ("1e999999999", "no integer"),
        ("4kb", "'4kb' is no integer: write 4096, 4_096, 4k"),
        ("4__0", "no integer"),
        ("٣", "no integer"),
        ("", "'' is no integer"),
        ("9" * 2000, "is an integer of 2,000 characters, and no size is as large"),
        ("x" * 2000, "is no integer"),
    ],
)
def test_what_is_no_size(text: str, says: str) -> None:
    """`1,024` may be a thousand, a decimal or a list, so that no reading of a comma is safe."""
    with pytest.raises(ConfigError, match=says):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "size", "shown"),
    [
        ("24GiB", 24 * 1024**3, "24GiB"),
        ("24 GB", 24 * 1000**3, "24 GB"),
        ("24G", 24 * 1000**3, "24 GB"),
        ("24Gi", 24 * 1024**3, "24 GiB"),
        ("3.5m", 3_500_000, "3.5 MB"),
        ("80gib", 80 * 1024**3, "80gib"),
        ("1.5MiB", 3 * 2**19, "1.5MiB"),
        ("512kB", 512_000, "512kB"),
        ("2TB", 2 * 10**12, "2TB"),
        ("7B", 7, "7B"),
        ("1e9", 10**9, "1,000,000,000 bytes"),
        ("24_000_000_000", 24 * 10**9, "24,000,000,000 bytes"),
    ],
)
def test_sizes_of_memory(text: str, size: int, shown: str) -> None:
    """Powers of 1,024 with an i, of 1,000 without; a large number is of bytes. Answers say which it was."""
    assert parse_bytes(text) == size
    assert bytes_text(text) == shown


@pytest.mark.parametrize(("text", "way_out"), [("24", "24GiB"), ("3.5", "3.5GiB")])
def test_a_size_without_its_unit(text: str, way_out: str) -> None:
    """24 could be GB or GiB, 7 % apart, and is not 24 bytes: nothing is guessed."""
    with pytest.raises(ConfigError, match=rf"^'{text}' has no unit: write {way_out} .* or "):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("24Gb", "'24Gb' may mean bits: write 24GB for bytes, or 3GB for as many bits"),
        ("1.5 Gib", "'1.5 Gib' may mean bits: write 1.5GiB for bytes, or 0.1875GiB for as many bits"),
        ("512kb", None),  # all small: nobody told apart
        ("24gb", None),
    ],
)
def test_gigabits_are_no_gigabytes(text: str, says: str | None) -> None:
    """A small b after a large letter is the sign of bits."""
    if says is None:
        assert parse_bytes(text) > 0
    else:
        with pytest.raises(ConfigError, match=f"^{says}$"):
            parse_bytes(text)


@pytest.mark.parametrize("text", ["", "GiB", "-3GB", "24 apples", "nan GB", "1e3GB", "24,5GB", "9" * 2000])
def test_what_is_no_size_of_memory(text: str) -> None:
    """Not a number with a unit."""
    with pytest.raises(ConfigError, match="is no size of a memory: write a number and its unit"):
        parse_bytes(text)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, list(arguments))


def test_every_option_takes_them() -> None:
    """The command line alone: Python has integers of its own."""
    short = run("report", "gpt2", "--seq-len", "1k", "--batch", "1e1", "--format", "json")
    assert short.stdout == run("report", "gpt2", "--seq-len", "1024", "--batch", "10", "--format", "json").stdout
    decode = ["report", "gpt2", "--phase", "decode", "--format", "json", "--set", "n_positions=4k", "--cache-len"]
    assert run(*decode, "2k").stdout == run(*decode, "2048").stdout
    refused = run("report", "gpt2", "--seq-len", "10,24")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--seq-len" in refused.stderr
    assert "'10,24' has a comma" in refused.stderr


def test_set_takes_them() -> None:
    """A whole number alone becomes an integer; a comma stays what lists of a configuration are written with."""
    wide = run("report", "llama-3-8b", "--set", "max_position_embeddings=128k", "--seq-len", "128k", "--format", "json")
    assert '"seq_len": 131072' in wide.stdout
    assert run("params", "resnet50", "--set", "depths=3,4,23,3", "--format", "json").exit_code == 0
    refused = run("report", "gpt2", "--set", "n_positions=1,024")
    assert refused.exit_code == 1
    assert "n_positions must be an integer, not '1,024'" in refused.stderr


def test_the_answer_of_fits_names_the_unit() -> None:
    """`24G` are 24 x 10^9 bytes, which the answer calls GB."""
    said = run("memory", "gpt2", "--fits", "24G").stdout
    assert "fits 24 GB: yes, " in said
    assert "\nfits 1,000,000,000 bytes: no, " in run("memory", "gpt2", "--fits", "1e9").stdout
