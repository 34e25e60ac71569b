"""Gauss and Legendre's rule on [0, 1], its nodes found by Newton's method when the module is loaded."""

import jax.numpy as jnp


def gauss_legendre(count):
    """(nodes, weights) on [0, 1]; exact for polynomials of degree below 2 count."""
    nodes, weights = [], []
    for i in range(count):
        x = (
            (-1.0) ** ((i + 0.75) / (count + 0.5))
        ).real  # cos(pi (i + 3/4)/(count + 1/2)), close to the root
        for _ in range(100):
            before, now = 1.0, x
            for k in range(2, count + 1):
                before, now = now, ((2 * k - 1) * x * now - (k - 1) * before) / k
            slope = count * (x * now - before) / (x * x - 1.0)
            x, step = x - now / slope, now / slope
            if abs(step) < 1e-16:
                break
        nodes.append(0.5 * (1.0 - x))
        weights.append(1.0 / ((1.0 - x * x) * slope * slope))
    return nodes, weights


def integrate_descent(rule, fall, end):
    """int_0^end exp(-fall(s)) ds, the nodes on a new last axis of what `fall` is given."""
    nodes, weights = (jnp.asarray(column, end.dtype) for column in rule)
    return end * jnp.sum(weights * jnp.exp(-fall(nodes * end[..., None])), -1)
