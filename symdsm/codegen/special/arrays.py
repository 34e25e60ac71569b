"""What every special function here needs: floating arguments, polynomials, and a derivative given as a formula."""

import jax
import jax.numpy as jnp


def floats(*args):
    """The arguments as arrays of one floating type (the widest of theirs, the default one for whole numbers)."""
    dtype = jnp.result_type(*args, 1.0)
    return tuple(jnp.asarray(a, dtype) for a in args)


def is_double(x):
    return x.dtype == jnp.float64


def differentiable(*rules):
    """Give a function its partial derivatives: rules[i](out, *args) is d out / d args[i].

    A partial derivative is computed only when its argument is differentiated, so that the (dear) derivative in
    the order of a Bessel function costs nothing to those who do not ask for it.
    """

    def decorate(f):
        core = jax.custom_jvp(f)

        def jvp(args, tangents):
            out = core(*args)
            total = jnp.zeros_like(out)
            for rule, tangent in zip(rules, tangents, strict=True):
                if not isinstance(tangent, jax.custom_derivatives.SymbolicZero):
                    total = total + rule(out, *args) * tangent
            return out, total

        core.defjvp(jvp, symbolic_zeros=True)

        def call(*args):
            return core(*floats(*args))

        call.__name__ = call.__qualname__ = f.__name__
        call.__doc__ = f.__doc__
        return call

    return decorate


def partial(f, index):
    """d f / d args[index] by forward differentiation, elementwise."""

    def derivative(*args):
        args = jnp.broadcast_arrays(*floats(*args))

        def along(v):
            return f(*args[:index], v, *args[index + 1 :])

        return jax.jvp(along, (args[index],), (jnp.ones_like(args[index]),))[1]

    return derivative


def horner(coefficients, x):
    """c[0] + c[1] x + c[2] x**2 + .."""
    total = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total
