"""azula's sampler, for `python -m benchmarks.generation --speed --torch PYTHON`; runs under PYTHON, imports no symdsm.

`torch_sampler.py WEIGHTS N STEPS LEAST MOST` draws N by DDPM steps on a VE schedule with the network of file WEIGHTS,
and prints the seconds of the fastest of three runs, with one thread or with all.
"""

import os
import sys
import time

import numpy as np
import torch
from azula.denoise import Denoiser, DiracPosterior
from azula.noise import VESchedule
from azula.sample import DDPMSampler

LEAST, MOST = map(float, sys.argv[4:])
arrays = np.load(sys.argv[1])
weights = [torch.tensor(arrays[f"w{k}"]) for k in range(3)]
biases = [torch.tensor(arrays[f"b{k}"]) for k in range(3)]


class Same(Denoiser):
    """The denoiser x + sigma^2 score of the network's score."""

    def __init__(self):
        super().__init__()
        self.schedule = VESchedule(LEAST, MOST)

    def forward(self, x_t, t, **_):
        _, sigma = self.schedule(t)
        sigma = sigma.reshape(-1, 1)
        h = torch.cat([x_t / torch.sqrt(1 + sigma**2), torch.log(sigma).expand(len(x_t), 1)], -1)
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            h = torch.nn.functional.silu(torch.nn.functional.linear(h, weight, bias))
        last = torch.nn.functional.linear(h, weights[-1], biases[-1])
        score = -x_t / (1 + sigma**2) + last / torch.sqrt(1 + sigma**2)
        return DiracPosterior(mean=x_t + sigma**2 * score)


n, steps, times = int(sys.argv[2]), int(sys.argv[3]), []
sampler = DDPMSampler(Same(), steps=steps, silent=True)
with torch.no_grad():
    for threads in (1, os.cpu_count()):
        torch.set_num_threads(threads)
        for _ in range(3):
            begin = time.perf_counter()
            sampler(sampler.init((n, weights[0].shape[1] - 1)))
            times.append(time.perf_counter() - begin)
print(min(times))
