"""The trainers of sbi and azula, for `python -m benchmarks.training --torch PYTHON`, where PYTHON has both installed.

It runs under that interpreter and imports nothing of this project. Lines on standard input are "NAME STEPS THREADS";
each is answered by one line of JSON: the steps taken, the wall's seconds, the number of parameters. Data are 2000 rows,
in batches of 256, the network has two hidden layers. sbi: its own `mlp` of that width and depth, with one column of
noise as context. azula: such layers in torch under its `KarrasDenoiser` and that one's loss, with AdamW, clipping and
averaged weights.
"""

import json
import sys
import time

import torch
from azula.denoise import KarrasDenoiser
from azula.noise import VESchedule
from sbi.inference import NPSE
from sbi.neural_nets import posterior_score_nn

ROWS, SIZE, ENTRIES, WIDTH = 2000, 256, int(sys.argv[1]), int(sys.argv[2])
LEAST, MOST, RATE, CLIP, EMA = 0.1, 10.0, 2e-3, 1.0, 0.999

torch.manual_seed(0)
data = torch.randn(ROWS, ENTRIES) * torch.linspace(0.5, 2.0, ENTRIES)


class Backbone(torch.nn.Module):
    """The level beside the entries, two hidden layers."""

    def __init__(self):
        super().__init__()
        sizes = [ENTRIES + 1, WIDTH, WIDTH]
        hidden = [m for a, b in zip(sizes, sizes[1:], strict=False) for m in (torch.nn.Linear(a, b), torch.nn.SiLU())]
        self.layers = torch.nn.Sequential(*hidden, torch.nn.Linear(WIDTH, ENTRIES))

    def forward(self, x, level):
        return self.layers(torch.cat([x, level[:, None]], 1))


def by_azula(steps: int) -> tuple[int, int]:
    """A loop as azula's tutorials have it; returns steps and parameters."""
    denoiser = KarrasDenoiser(Backbone(), VESchedule(LEAST, MOST))
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
    return steps, sum(p.numel() for p in denoiser.parameters())


def by_sbi(steps: int) -> tuple[int, int]:
    """NPSE.train for as many epochs as give about that many steps; returns steps and parameters."""
    network = posterior_score_nn("mlp", sde_type="ve", hidden_features=WIDTH, num_layers=2)
    inference = NPSE(vf_estimator=network, show_progress_bars=False)
    inference.append_simulations(data, torch.randn(ROWS, 1))
    each = ROWS // SIZE
    epochs = max(steps // each, 1)
    estimator = inference.train(
        SIZE, learning_rate=RATE, clip_max_norm=CLIP, validation_fraction=0.1, stop_after_epochs=epochs + 1,
        max_num_epochs=epochs,
    )  # fmt: skip
    return epochs * (int(0.9 * ROWS) // SIZE), sum(p.numel() for p in estimator.parameters())


TRAINERS = {"azula": by_azula, "sbi": by_sbi}
print(json.dumps({"ready": torch.__version__}), flush=True)
for line in sys.stdin:
    name, steps, threads = line.split()
    torch.set_num_threads(int(threads))
    start = time.perf_counter()
    taken, parameters = TRAINERS[name](int(steps))
    print(json.dumps({"steps": taken, "seconds": time.perf_counter() - start, "parameters": parameters}), flush=True)
