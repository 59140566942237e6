"""The options and commands of other tools and of people, and what they are here; the closest option for a typing error.

No guess is better than a wrong one: what resembles nothing gets no suggestion.
"""

from __future__ import annotations

from collections.abc import Collection

from graphacct.errors import suggest

NOT_DIVIDED = "a layer is never cut here, only data is: --dp N ranks, with --zero 3 as FSDP, and the memory of one rank"
OPTIONS = {
    **dict.fromkeys(("--gradient-checkpointing", "--activation-checkpointing", "--checkpointing"), "--recompute full"),
    "--qlora": "--weights nf4 --lora 16:all-linear",
    **dict.fromkeys(("--load-in-4bit", "--4bit"), "--weights nf4"),
    **dict.fromkeys(("--load-in-8bit", "--8bit"), "--weights int8"),
    **dict.fromkeys(("--quantization", "--quant", "--quantize"), "--weights, as in --weights fp8"),
    "--bf16": "--dtype bf16",
    "--fp16": "--dtype fp16",
    "--fp32": "--dtype fp32",
    **dict.fromkeys(("--precision", "--mixed-precision", "--torch-dtype"), "--dtype, as in --dtype bf16"),
    **dict.fromkeys(("-b", "--bs", "--batchsize", "--batch-size", "--micro-batch-size", "--micro-batch"), "--batch"),
    **dict.fromkeys(("--mbs", "--per-device-train-batch-size", "--per-gpu-batch-size"), "--batch"),
    **dict.fromkeys(
        ("--context", "--ctx", "--ctx-len", "--context-len", "--context-length", "--ctx-size"),
        "--seq-len, or --cache-len with --phase decode",
    ),
    **dict.fromkeys(
        ("--max-model-len", "--max-length", "--max-len", "--length", "--sequence-length", "--tokens"),
        "--seq-len, or --cache-len with --phase decode",
    ),
    **dict.fromkeys(("--train", "--training"), "--phase train, which `memory` takes unless another is given"),
    **dict.fromkeys(("--inference", "--infer", "--serve"), "--phase prefill or --phase decode"),
    **{f"--{phase}": f"--phase {phase}" for phase in ("prefill", "decode", "generate", "forward")},
    **dict.fromkeys(
        ("--users", "--concurrency", "--requests", "--max-num-seqs"), "--batch with --phase decode: a sequence each"
    ),
    "--optim": "--optimizer",
    **dict.fromkeys(
        ("--gpu", "--gpus", "--device", "--devices"),
        "--on for its name, as in memory … --on h100, and --dp 8 --zero 3 for how many, as in training with FSDP",
    ),
    **dict.fromkeys(
        ("--world-size", "--num-gpus", "--ngpus", "--n-gpus", "--gpus-per-node", "--ranks"), "--dp N (FSDP: --zero 3)"
    ),
    **dict.fromkeys(("--fsdp", "--deepspeed", "--ddp"), "--dp 8 --zero 3"),
    **{f"--{form}": f"--format {form}" for form in ("json", "csv")},
}
"""Options, and what they are here; those of one word may have either separator."""
NOT_HERE = {
    **dict.fromkeys(("--tp", "--tensor-parallel", "--tensor-parallel-size", "--tensor-model-parallel-size"), "tensor"),
    **dict.fromkeys(("--pp", "--pipeline-parallel", "--pipeline-parallel-size"), "pipeline"),
    **dict.fromkeys(("--ep", "--expert-parallel", "--enable-expert-parallel"), "expert"),
    **dict.fromkeys(("--cp", "--sp", "--context-parallel", "--sequence-parallel"), "sequence"),
}
"""The kinds of parallel ranks that are not modelled, by option."""
SENTENCES = {
    **dict.fromkeys(
        ("--gradient-accumulation-steps", "--gradient-accumulation", "--grad-accum", "--accumulate-grad-batches"),
        "a step here has one backward pass, and its memory does not grow with how many are accumulated: --batch is "
        "that of one pass",
    ),
    "--title": "a picture is named after its model",
}
"""Options, and why there is nothing in their place."""
COMMANDS = {
    "help": "--help",
    **dict.fromkeys(("version", "-v"), "--version"),
    **dict.fromkeys(("flops", "macs", "count", "cost", "profile", "summary", "show", "info", "analyze"), "report"),
    **dict.fromkeys(("fits", "fit", "mem", "vram", "train", "estimate"), "memory"),
    **dict.fromkeys(("plot", "render", "graph", "view", "visualize"), "draw"),
    **dict.fromkeys(("models", "presets", "ls", "devices", "operators"), "list"),
    **dict.fromkeys(("save", "dump"), "export"),
}
"""Words given as a command, and what was meant."""
LIKE = 0.75
"""How alike, 0 to 1, a suggested option is to what was typed, their hyphens aside."""
BEGINNING = 3
"""The fewest letters that stand for the options that begin with them."""


def option(typed: str, known: Collection[str]) -> str:
    """Returns the end of the message about an option that a command, whose options are `known`, does not have.

    >>> option("--bs", ["--by", "--batch"]), option("--bacth", ["--by", "--batch"]), option("--verbose", ["--zero"])
    ('; here it is --batch', '; did you mean --batch?', '')
    >>> option("--seq", ["--set", "--seq-len"])
    '; did you mean --seq-len?'
    """
    name = spelt(typed)
    here = OPTIONS.get(name, "")
    if here and ("memory …" in here or any(word.strip(",") in known for word in here.split())):
        return f"; here it is {here}"
    if name in NOT_HERE:
        return f": {NOT_HERE[name]} parallelism is not modelled, {NOT_DIVIDED}"
    if name in SENTENCES:
        return f": {SENTENCES[name]}"
    return _closest(name, known)


def elsewhere(typed: str) -> tuple[str, str]:
    """Returns the option that a word of others stands for, and what is typed for it; empty texts if it is none.

    >>> elsewhere("--bs"), elsewhere("--bf16"), elsewhere("--verbose")
    (('--batch', '--batch'), ('--dtype', '--dtype bf16'), ('', ''))
    """
    here = OPTIONS.get(spelt(typed), "")
    return (here.split()[0].strip(","), here) if here else ("", "")


def _closest(name: str, known: Collection[str]) -> str:
    """Returns the options that begin with what was typed, or else the one most like it."""
    from difflib import get_close_matches

    bare = {flag.lstrip("-"): flag for flag in sorted(known) if flag.startswith("--")}
    word = name.lstrip("-")
    close = [other for other in bare if other.startswith(word)] if len(word) >= BEGINNING else []
    close = close or get_close_matches(word, bare, n=1, cutoff=LIKE)
    return f"; did you mean {' or '.join(bare[other] for other in close[:3])}?" if close else ""


def spelt(option: str) -> str:
    """Returns an option with the separator of this command line: `--load_in_4bit` is written with hyphens."""
    return option.lower().replace("_", "-")


def command(typed: str, known: Collection[str]) -> str:
    """Returns the end of the message about a command that there is not.

    >>> command("flops", ["report"]), command("help", ["report"]), command("reprot", ["report", "list"])
    ("; did you mean 'report'?", '; did you mean --help?', "; did you mean 'report'?")
    """
    meant = COMMANDS.get(typed.lower(), "")
    if meant:
        return f"; did you mean {meant if meant.startswith('-') else repr(meant)}?"
    return suggest(typed, known)
