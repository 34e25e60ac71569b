"""Every lesson in examples/ runs as a user would run it, and says what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("[0-9]*.py"))

# Words that a lesson must print.
SAYS = {
    "01_declare": [
        "L > 2",
        "log-speckle holds for every L: True",
        "the constant was found: True",
        "Kernel.product(",
        "4 coordinates: [ 1.  2.  2. -5.]",
        "keep the edge with a density that vanishes there",
    ],
    "02_generated_code": [
        "def score(",
        "the same bytes again: True",
        "refused: a new file, or one that symdsm wrote",
        "without symdsm: -2.348",
        "with symdsm:    -2.348",
        "the score is the gradient: True",
        "Expected: s > 0",
        "under jit: [nan nan nan]",
        "largest error below 0.3: True",
    ],
    "03_is_it_valid": [
        "the edge x moves with x and the density does not vanish there",
        "learned    -1.0   -1.0   -1.0   -1.0   -1.0   -1.0   -1.0   -1.0",
        "true        1.4",
        "The gap is not C",
        "The gap is C within Monte Carlo error",
        "repaired: True",
        r"\left\|\psi\left(x + \sigma z\right) + \frac{z}{\sigma}\right\|^2",
        "for the delay it says: The proof stops here",
        "E[score | x] = 0",
    ],
    "04_train": [
        "esm          0.0",
        "dsm          0.",
        "dae          0.",
        "integration by parts fails by",
        "one scalar; dsm takes any",
        "use sd.Denoiser(event_shape, key=key) or sd.Autoencoder",
        "truth 0.85",
    ],
    "05_prior_in_a_program": [
        "right cluster, given a total of 0.5: 0.",
        "the noise in them: 0.8",
        "three hidden values, each in its context: [2.",
        "exact                                     [2.",
    ],
    "06_fit_inside_svi": [
        "truth 0.75",
        "latents from the learned prior:   0.7",
        "latents from the learned prior:   0.0",
    ],
    "09_generate": [
        "drift sigma*y",
        "ancestral            [0.5",
        "not determined by the score",
        "sampler of p(x | y) for walk-back",
        "both within 0.25 nats of the exact one: True",
        "KL of the reverse diffusion's law at most 0.",
        "down to the error of the energy's constant: True",
    ],
    "08_trust": [
        "Exact probability of the left cluster: 0.63",
        "nuts: R-hat ",
        "modes that they never saw cannot show; use method='tempered'",
        "tempered: R-hat 1.0",
        "trust: every check is passed",
    ],
    "07_score_only": ["a VectorScore for MALA", "curl 0.2", "exact: 1, 0.5"],
}


def test_there_are_lessons():
    assert EXAMPLES and set(SAYS) <= {path.stem for path in EXAMPLES}


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_lesson(path, tmp_path):
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    assert not [words for words in SAYS.get(path.stem, []) if words not in done.stdout], done.stdout
