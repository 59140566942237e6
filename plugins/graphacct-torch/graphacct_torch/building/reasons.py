"""Why a module does not run without data, and the way out: what is refused before it runs, and what its errors mean."""

from __future__ import annotations

import re

import torch
from torch import nn
from torch._subclasses import fake_tensor

from graphacct_torch.errors import CaptureError, first_line, lines_of

VALUES = (
    "asks for a value that only data has{line}, as .item(), .tolist(), .numpy() and `if` of a tensor do, and weights "
    "and activations have none here: let an argument or the configuration decide, or give the function its cost with "
    "graphacct_torch.cost"
)
SIZES = (
    "makes a tensor whose size depends on data{line}: {what}; use a mask or torch.where of a fixed size, or give the "
    "function its cost with graphacct_torch.cost"
)
CHANCE = (
    "branches on a random number{line}, as layers that are dropped at random do (layerdrop): set its probability to 0 "
    "in the configuration, so that it is certain"
)
GPU = (
    "needs a GPU{line}: graphacct runs modules on a CPU, without data; take the device of an input (x.device), and ask "
    'for the memory of a GPU with profile="torch-eager-cuda"'
)
LAYOUT = "makes a {what} tensor{line}, whose work and bytes depend on its data; graphacct accounts for dense ones"
GPU_SIGNS = re.compile(r"\bcuda\b|\bCUDA\b|\bNVIDIA\b|\bhip\b|\bxpu\b|\bmps\b")
LAYOUT_SIGNS = re.compile(r"(?i)(?<![a-z])(sparse|nested)(?=_?tensor|_|\b)")
VALUE_SIGNS = ("numpy() is not supported", "item() cannot be called on meta", "Cannot copy out of meta tensor")


class ChanceError(Exception):
    """A branch, or a size, that random numbers alone decide."""


def reason(where: str, error: BaseException) -> CaptureError:
    """Returns the error that says which module did not run, why, at which line, and what to do.

    An exception of the user's own code is shown as it is.
    """
    line, message = lines_of(error), str(error)
    if isinstance(error, ChanceError):
        why = CHANCE
    elif isinstance(error, fake_tensor.DataDependentOutputException) or any(sign in message for sign in VALUE_SIGNS):
        why = VALUES
    elif isinstance(error, fake_tensor.DynamicOutputShapeException):
        why = SIZES
    elif GPU_SIGNS.search(message) and isinstance(error, (RuntimeError, AssertionError, ValueError)):
        why = GPU
    elif isinstance(error, (NotImplementedError, fake_tensor.UnsupportedOperatorException)) and (
        found := LAYOUT_SIGNS.search(message)
    ):
        return CaptureError(f"module {where!r} {LAYOUT.format(line=line, what=found[1].lower())}")
    elif isinstance(error, SystemExit):
        return CaptureError(f"module {where!r} ends the program: {first_line(error)}{line}")
    else:
        return CaptureError(f"module {where!r} does not run on tensors without data: {first_line(error)}{line}")
    return CaptureError(f"module {where!r} {why.format(line=line, what=message.partition(chr(10))[0])}")


def check_supported(module: nn.Module) -> None:
    """Raises CaptureError, which names the part and what to give instead, for a module that runs code of its own in
    place of torch's operators."""
    for path, part in module.named_modules():
        kind = type(part)
        where = f"module {path!r}" if path else f"module {kind.__name__!r}"
        if isinstance(part, torch.jit.ScriptModule):
            raise CaptureError(
                f"{where} is a TorchScript module, which does not run in Python: give the module that it was made of"
            )
        if kind.__module__.startswith(("torch.ao.nn.quantized", "torch.nn.quantized", "torch.ao.nn.intrinsic")):
            raise CaptureError(
                f"{where} is a quantized {kind.__name__}, whose weights are packed for one device: give the module "
                "before it was quantized, and the format of its weights with weights="
            )
        if kind.__module__.startswith("bitsandbytes"):
            raise CaptureError(
                f"{where} is {kind.__name__} of bitsandbytes, whose kernels need a GPU: give the module before it was "
                "quantized, and the format of its weights with weights="
            )
