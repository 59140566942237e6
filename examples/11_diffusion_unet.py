"""A diffusion U-Net written by hand: timestep embedding, cross-attention, down and up. It needs graphacct-torch."""

import torch
import torch.nn.functional as F
from torch import nn

import graphacct


class ResidualBlock(nn.Module):
    def __init__(self, fan_in, fan_out, embedding):
        super().__init__()
        self.norm = nn.GroupNorm(8, fan_in)
        self.conv = nn.Conv2d(fan_in, fan_out, 3, padding=1)
        self.shift = nn.Linear(embedding, fan_out)
        self.skip = nn.Conv2d(fan_in, fan_out, 1)

    def forward(self, x, time):
        return self.skip(x) + self.conv(F.silu(self.norm(x))) + self.shift(time)[:, :, None, None]


class UNet(nn.Module):
    def __init__(self, width=32, embedding=128, words=64):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = nn.Conv2d(4, width, 3, padding=1)
        self.enter = ResidualBlock(width, width, embedding)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.attend = nn.MultiheadAttention(2 * width, 4, kdim=words, vdim=words, batch_first=True)
        self.middle = ResidualBlock(2 * width, 2 * width, embedding)
        self.leave = ResidualBlock(3 * width, width, embedding)
        self.head = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, image, step, prompt):
        frequencies = torch.exp(-torch.arange(16) * (9.2 / 16))
        angles = step[:, None] * frequencies
        time = self.time(torch.cat([angles.cos(), angles.sin()], 1))
        fine = self.enter(self.stem(image), time)
        coarse = self.down(fine)
        pixels = coarse.flatten(2).transpose(1, 2)
        pixels = pixels + self.attend(pixels, prompt, prompt, need_weights=False)[0]
        coarse = self.middle(pixels.transpose(1, 2).reshape(coarse.shape), time)
        up = F.interpolate(coarse, scale_factor=2, mode="nearest")
        return self.head(self.leave(torch.cat([up, fine], 1), time))


inputs = (torch.zeros(1, 4, 32, 32), torch.zeros(1), torch.zeros(1, 77, 64))
report = graphacct.account(UNet(), inputs=(inputs, {}))
print(report)
print(f"cross-attention: {report['attend'].share:.1%} of the FLOPs")

# A 3 × 3 convolution does 2 · 9 · channels in · channels out for each pixel that it puts out; this one has stride 2.
assert report["down"].values["matmul_flops"] == 2 * 9 * 32 * 64 * 16 * 16
step = graphacct.account(UNet(), inputs=(inputs, {}), phase="train", loss="sum")
print(f"a training step saves {step.total['saved_bytes']:,} B")
assert step.total["forward_flops"] == report.total["flops"] + step["loss"].values["forward_flops"]
