"""The help of a command: its options in groups, and examples that can be copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

GROUPS = {
    "What runs": "batch seq_len phase cache_len prompt_len new_tokens logits encoder_seq_len images image_size tiles "
    "audios audio_seconds frames samples points choices",
    "The model": "set dtype weights kv_dtype attention lora lora_dropout transforms inputs dynamic plugin block",
    "Training": "loss profile recompute freeze optimizer master dp zero",
    "What is counted": "quantity quantities convention mask unknown",
    "Output": "by depth columns unroll views color_by scope fields orientation font_size grey "
    "width_cm bare timeline plot against bytes_ format_ output",
}
"""The groups of options, in the order of the help; a command's other options are its own, and come first."""
EXAMPLES: Mapping[str, Sequence[tuple[str, str]]] = {
    "": (
        ("What a model costs", "report gpt2-xl"),
        ("Whether a fine-tune fits on a device", "memory llama-3-8b --lora 16:all-linear --seq-len 2k --on rtx-4090"),
        ("A picture for a paper", "draw gpt2-xl -o gpt2-xl.svg"),
    ),
    "report": (
        ("A forward pass of one sequence", "report gpt2-xl"),
        ("A training step, by operator", "report llama-3-8b --phase train --seq-len 2k --dtype bf16 --by operator"),
        ("Some columns, as CSV", "report qwen3-8b --seq-len 4k --columns params,flops -o costs.csv"),
    ),
    "draw": (
        ("A picture in a file", "draw gpt2-xl -o gpt2-xl.svg"),
        ("Where the parameters are, one level deep", "draw mixtral-8x7b --color-by params --depth 1 -o mixtral.svg"),
        ("A page to explore and to compute with", "draw llama-3-8b -o llama.html"),
    ),
    "explain": (
        ("Where one figure comes from", "explain gpt2-xl lm_head --quantity flops"),
        ("All figures of a node", "explain llama-3-8b 'model.layers.*.mlp.gate_proj'"),
        ("What a training step keeps of it", "explain gpt2 mlp.act --phase train --quantity saved_bytes"),
    ),
    "formula": (
        ("Of the whole model", "formula gpt2-xl"),
        ("Of a part, scope by scope", "formula llama-3-8b mlp --by scope"),
        ("In two sizes, for a paper", "formula gpt2 --symbols seq_len,batch --format latex"),
    ),
    "compare": (
        ("Models side by side", "compare gpt2 gpt2-medium gpt2-large gpt2-xl"),
        ("What a longer context changes", "compare llama-3-8b --over seq_len=1k,4k,16k --by role"),
        ("Shares as a picture (extra plot)", "compare gpt2 gpt2-xl --plot shares.svg"),
    ),
    "diff": (
        ("Which nodes differ", "diff llama-2-7b llama-3-8b --seq-len 2k"),
        ("A picture of it", "diff gpt2 gpt2-medium -o diff.svg"),
        ("Fail where the cost grows, for CI", "diff gpt2-medium gpt2 --fail-if 'flops > +3%'"),
    ),
    "reconcile": (
        ("Against the formula of PaLM's MFU", "reconcile gpt2 --between exact --and palm-mfu"),
        ("Against what a tool prints", "reconcile llama-3-8b --seq-len 8192 --and torchtitan"),
        ("What a causal mask saves", "reconcile gpt2 --between exact --and exact:causal"),
    ),
    "solve": (
        (
            "Where attention overtakes the MLP",
            "solve llama-3-8b --for seq_len --where 'flops(attention) == flops(mlp)'",
        ),
        (
            "The largest batch on a card",
            "solve gpt2-xl --for batch --max --where 'memory_bytes <= 80GiB' --phase train --dtype bf16",
        ),
        ("The widest model in a budget", "solve gpt2 --for n_embd --max --where 'params <= 1.5e9'"),
    ),
    "sweep": (
        ("A grid of sizes, as a table", "sweep gpt2 --over n_layer=12:48:12 --over n_embd=768:3072:768"),
        ("What is best for its parameters", "sweep gpt2 --over n_layer=6:24:6 --pareto params,-flops"),
        ("Rows in a file", "sweep gpt2 --over seq_len=256,512,1k --over batch=1:64:1 -o rows.csv"),
    ),
    "memory": (
        ("A training step", "memory gpt2-xl --dtype bf16"),
        ("Which devices it fits on", "memory llama-3-8b --lora 16:all-linear --seq-len 2k --on rtx-4090"),
        ("Serving, with its cache", "memory llama-3-8b --phase decode --cache-len 8k --batch 16 --fits 24GiB"),
    ),
    "params": (
        ("The tensors of a checkpoint", "params gpt2"),
        ("Each layer's own", "params gpt2 --expand"),
        ("In a file", "params llama-3-8b -o tensors.csv"),
    ),
    "verify": (
        ("A folder with a checkpoint", "verify ./Llama-3-8B"),
        ("A model against one file's header", "verify gpt2 --checkpoint model.safetensors"),
        ("Against the library's class (graphacct-torch)", "verify gpt2 --torch"),
    ),
    "list": (
        ("All models", "list"),
        ("Models by words in their names", "list qwen3 8b"),
        ("Operators, devices, …", "list operators norm"),
    ),
    "plugins": (
        ("What is loaded", "plugins"),
        ("Begin a plugin", "plugins new graphacct-squared-relu --operator"),
        ("Check it", "plugins check graphacct-squared-relu"),
    ),
    "export": (
        ("A model's graph as JSON", "export gpt2 -o gpt2.json"),
        ("With other sizes", "export gpt2 --set n_layer=6 --batch 8 -o small.json"),
        ("A training step, its loss included", "export gpt2 --phase train -o step.json"),
    ),
}
"""Three examples for each command, and for all together: what is asked, and the words after `graphacct`."""


class Command(click.Command):
    """A command of the core: its help has options in groups, and examples. An option takes no option for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        check_values(self, ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(self.name or "", formatter)


class Group(click.Group):
    """A command of the core with commands of its own: its help has examples."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(self.name or "", formatter)


def check_values(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Raises a UsageError for an option whose value is one of the command's options: click would take that one."""
    options = {flag: item for item in command.get_params(ctx) if isinstance(item, click.Option) for flag in item.opts}
    position = 0
    while position < len(args) and args[position] != "--":
        item = options.get(args[position])
        if item is None or item.is_flag or item.count:
            position += 1
            continue
        following = args[position + 1 : position + 2]
        if following and following[0].partition("=")[0] in options:
            record = item.get_help_record(ctx)
            said = f": {' '.join(record[1].split()).partition(' [default')[0]}" if record else ""
            raise click.UsageError(f"{args[position]} has no value: {following[0]} is an option{said}", ctx)
        position += 2


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Writes the options of a command, in its groups."""
    options = {item.name: item for item in command.get_params(ctx) if isinstance(item, click.Option)}
    asking = [options.pop(name) for name, item in [*options.items()] if "--help" in item.opts]
    groups = {
        group: [options.pop(name) for name in names.split() if name in options] for group, names in GROUPS.items()
    }
    for group, items in {"Options": [*options.values()], **groups, "Help": asking}.items():
        rows = [record for record in (item.get_help_record(ctx) for item in items) if record is not None]
        if rows:
            with formatter.section(group):
                formatter.write_dl(rows)


def write_examples(name: str, formatter: click.HelpFormatter) -> None:
    """Writes the examples of a command; "" is all commands together."""
    if name in EXAMPLES:
        with formatter.section("Examples"):
            for purpose, words in EXAMPLES[name]:
                formatter.write(f"{'':{formatter.current_indent}}# {purpose}\n")
                formatter.write(f"{'':{formatter.current_indent}}graphacct {words}\n")
