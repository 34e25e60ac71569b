"""Are two samples of one law? A classifier's accuracy at telling them apart: 0.5 is chance.

Lopez-Paz and Oquab, Revisiting classifier two-sample tests, arXiv 1610.06545 (2017); with the choices of the sbibm
benchmark: z-scores by the reference, two hidden layers of 10 d ReLU units, five folds.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier

__all__ = ["c2st"]


def c2st(reference: np.ndarray, other: np.ndarray, seed: int = 0, rounds: int = 200) -> float:
    """Mean accuracy over five folds; both samples (n, d), of equal size."""
    mean, sd = reference.mean(0), reference.std(0)
    data = np.concatenate([(np.asarray(s, float) - mean) / sd for s in (reference, other)])
    labels = np.repeat([0, 1], [len(reference), len(other)])
    width = 10 * data.shape[1]
    classifier = MLPClassifier((width, width), max_iter=rounds, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(cross_val_score(classifier, data, labels, cv=KFold(5, shuffle=True, random_state=seed)).mean())
