"""The trainers of sbi and azula, for `python -m benchmarks.training --torch PYTHON`, where PYTHON has both installed.

It runs under that interpreter and imports nothing of this project. Lines on standard input are "NAME STEPS THREADS";
each is answered by one line of JSON: the steps taken, the wall's seconds, the number of parameters. Data are 2000 rows,
in batches of 256; the network has two hidden layers, of the least width that gives it the number of parameters asked
for. sbi: its own `mlp`, with one column of noise as context. azula: such layers in torch under its `KarrasDenoiser`
and that one's loss, with AdamW, clipping and averaged weights.
"""

import json
import sys
import time

import torch
from azula.denoise import KarrasDenoiser
from azula.noise import VESchedule
from sbi.inference import NPSE
from sbi.neural_nets import posterior_score_nn

ROWS, SIZE, ENTRIES, PARAMETERS = 2000, 256, int(sys.argv[1]), int(sys.argv[2])
LEAST, MOST, RATE, CLIP, EMA = 0.1, 10.0, 2e-3, 1.0, 0.999

torch.manual_seed(0)
data = torch.randn(ROWS, ENTRIES) * torch.linspace(0.5, 2.0, ENTRIES)
context = torch.randn(ROWS, 1)


def size(module) -> int:
    return sum(p.numel() for p in module.parameters())


def wide_enough(build) -> int:
    """The width of the first of the networks build(16), build(24), .. that has PARAMETERS parameters."""
    width = 16
    while size(build(width)) < PARAMETERS:
        width += 8
    return width


class Backbone(torch.nn.Module):
    """The level beside the entries, two hidden layers."""

    def __init__(self, width):
        super().__init__()
        sizes = [ENTRIES + 1, width, width]
        hidden = [m for a, b in zip(sizes, sizes[1:], strict=False) for m in (torch.nn.Linear(a, b), torch.nn.SiLU())]
        self.layers = torch.nn.Sequential(*hidden, torch.nn.Linear(width, ENTRIES))

    def forward(self, x, level):
        return self.layers(torch.cat([x, level[:, None]], 1))


def by_azula(steps: int) -> tuple[int, int]:
    """A loop as azula's tutorials have it; returns steps and parameters."""
    denoiser = KarrasDenoiser(Backbone(WIDTHS["azula"]), VESchedule(LEAST, MOST))
    averaged = torch.optim.swa_utils.AveragedModel(
        denoiser, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA)
    )
    optimiser = torch.optim.AdamW(denoiser.parameters(), lr=RATE)
    for _ in range(steps):
        rows = torch.randint(ROWS, (SIZE,))
        loss = denoiser.loss(data[rows], torch.rand(SIZE))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), CLIP)
        optimiser.step()
        averaged.update_parameters(denoiser)
    return steps, size(denoiser)


def sbi_network(width):
    return posterior_score_nn("mlp", sde_type="ve", hidden_features=width, num_layers=2)


def by_sbi(steps: int) -> tuple[int, int]:
    """NPSE.train for as many epochs as give about that many steps; returns steps and parameters."""
    inference = NPSE(vf_estimator=sbi_network(WIDTHS["sbi"]), show_progress_bars=False)
    inference.append_simulations(data, context)
    each = ROWS // SIZE
    epochs = max(steps // each, 1)
    estimator = inference.train(
        SIZE, learning_rate=RATE, clip_max_norm=CLIP, validation_fraction=0.1, stop_after_epochs=epochs + 1,
        max_num_epochs=epochs,
    )  # fmt: skip
    return epochs * (int(0.9 * ROWS) // SIZE), size(estimator)


WIDTHS = {"azula": wide_enough(Backbone), "sbi": wide_enough(lambda width: sbi_network(width)(data, context))}
TRAINERS = {"azula": by_azula, "sbi": by_sbi}
print(json.dumps({"ready": torch.__version__}), flush=True)
for line in sys.stdin:
    name, steps, threads = line.split()
    torch.set_num_threads(int(threads))
    start = time.perf_counter()
    taken, parameters = TRAINERS[name](int(steps))
    print(json.dumps({"steps": taken, "seconds": time.perf_counter() - start, "parameters": parameters}), flush=True)
