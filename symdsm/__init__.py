"""symdsm: from a noise kernel declared in SymPy to a posterior you can trust.

Every public name lives here and loads on first use (PEP 562), so that `import symdsm` costs no more than
`import jax, sympy`.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symdsm import families as families
    from symdsm.diagnostics.diagnose import Diagnosis as Diagnosis
    from symdsm.diagnostics.diagnose import diagnose as diagnose
    from symdsm.inference.generate import generate as generate
    from symdsm.inference.generate_flow import flow_log_prob as flow_log_prob
    from symdsm.inference.generate_flow import flow_log_prob_estimate as flow_log_prob_estimate
    from symdsm.inference.handlers import noise_level as noise_level
    from symdsm.inference.langevin import MALA as MALA
    from symdsm.inference.langevin import ULA as ULA
    from symdsm.inference.line_integral import potential_from_score as potential_from_score
    from symdsm.inference.priors import LearnedPrior as LearnedPrior
    from symdsm.inference.sampling import sample as sample
    from symdsm.inference.score_error import score_error as score_error
    from symdsm.inference.scores import LearnedScore as LearnedScore
    from symdsm.inference.scores import VectorScore as VectorScore
    from symdsm.inference.site import fit_from_site as fit_from_site
    from symdsm.inference.site import score_matching_site as score_matching_site
    from symdsm.inference.underdamped import UnderdampedLangevin as UnderdampedLangevin
    from symdsm.kernel import Kernel as Kernel
    from symdsm.kernel import load as load
    from symdsm.learning import objectives as objectives
    from symdsm.learning.autoencoding import Autoencoder as Autoencoder
    from symdsm.learning.fit import fit as fit
    from symdsm.learning.flax_modules import from_flax as from_flax
    from symdsm.learning.identity import check_identity as check_identity
    from symdsm.learning.levels import geometric as geometric
    from symdsm.learning.levels import uniform as uniform
    from symdsm.learning.networks import Denoiser as Denoiser
    from symdsm.learning.networks import Energy as Energy
    from symdsm.learning.networks import Score as Score
    from symdsm.symbolic.manifolds import Simplex as Simplex
    from symdsm.symbolic.manifolds import Sphere as Sphere

__version__ = "0.1.0"

_HOME = {
    "Autoencoder": "learning.autoencoding",
    "Denoiser": "learning.networks",
    "Diagnosis": "diagnostics.diagnose",
    "Energy": "learning.networks",
    "Kernel": "kernel",
    "LearnedPrior": "inference.priors",
    "LearnedScore": "inference.scores",
    "MALA": "inference.langevin",
    "Score": "learning.networks",
    "Simplex": "symbolic.manifolds",
    "Sphere": "symbolic.manifolds",
    "ULA": "inference.langevin",
    "UnderdampedLangevin": "inference.underdamped",
    "VectorScore": "inference.scores",
    "check_identity": "learning.identity",
    "diagnose": "diagnostics.diagnose",
    "fit": "learning.fit",
    "from_flax": "learning.flax_modules",
    "fit_from_site": "inference.site",
    "flow_log_prob": "inference.generate_flow",
    "flow_log_prob_estimate": "inference.generate_flow",
    "generate": "inference.generate",
    "geometric": "learning.levels",
    "load": "kernel",
    "noise_level": "inference.handlers",
    "potential_from_score": "inference.line_integral",
    "sample": "inference.sampling",
    "score_error": "inference.score_error",
    "score_matching_site": "inference.site",
    "uniform": "learning.levels",
}

_MODULES = {"families": "families", "objectives": "learning.objectives"}

__all__ = ["__version__", *_HOME, *_MODULES]


def __getattr__(name: str):
    if name in _MODULES:
        return _import_module(f"symdsm.{_MODULES[name]}")
    if name not in _HOME:
        raise AttributeError(f"module 'symdsm' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(_import_module(f"symdsm.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
