"""SciPy's laws as location kernels y = x + s z."""

from tests.kernels.scipy_rows import HALF_TURN, between, log_beta, log_normal_cdf, log_normal_pdf, row


def t_skew(m, z, p):
    """Jones, Faddy (2003)."""
    a, b = p.a, p.b
    r = z / m.sqrt(a + b + z**2)
    const = (a + b - 1) * m.log(2) + log_beta(m, a, b) + m.log(a + b) / 2
    return (a + m.number(1) / 2) * m.log(1 + r) + (b + m.number(1) / 2) * m.log(1 - r) - const


def crystal_ball(m, z, p):
    """A normal core and a power tail on the left of -beta (Oreglia 1980)."""
    b, n = p.beta, p.m
    core = m.sqrt(2 * m.pi) * m.erfc(-b / m.sqrt(2)) / 2
    const = m.log(n / (b * (n - 1)) * m.exp(-(b**2) / 2) + core)
    tail = n * m.log(n / b) - b**2 / 2 - n * m.log(n / b - b - z)
    return m.choose(z > -b, -(z**2) / 2, tail) - const


def generalised_hyperbolic(m, z, p):
    """Barndorff-Nielsen (1978)."""
    q, a, b = p.p, p.a, p.b
    g = m.sqrt(a**2 - b**2)
    half = q - m.number(1) / 2
    r = m.sqrt(1 + z**2)
    const = q * m.log(g) - m.log(2 * m.pi) / 2 - half * m.log(a) - m.log(m.besselk(q, g))
    return const + b * z + half * m.log(r) + m.log(m.besselk(half, a * r))


def kappa_four(m, z, p):
    """Hosking (1994), for h > 0 and k > 0."""
    h, k = p.h, p.k
    w = 1 - k * z
    return (1 / k - 1) * m.log(w) + (1 / h - 1) * m.log(1 - h * w ** (1 / k))


def pearson(m, z, skew):
    shape, rate = 4 / skew**2, 2 / skew
    return m.log(rate) - m.loggamma(shape) + (shape - 1) * m.log(rate * (z + rate)) - rate * (z + rate)


FORM = "additive"
ROWS = [
    row("norm", FORM, lambda m, z, p: log_normal_pdf(m, z)),
    row("laplace", FORM, lambda m, z, p: -m.abs(z) - m.log(2)),
    row("logistic", FORM, lambda m, z, p: -z - 2 * m.log(1 + m.exp(-z))),
    row("cauchy", FORM, lambda m, z, p: -m.log(m.pi * (1 + z**2))),
    row(
        "t",
        FORM,
        lambda m, z, p: (
            -(p.df + 1) / 2 * m.log(1 + z**2 / p.df)
            - m.log(p.df * m.pi) / 2
            + m.loggamma((p.df + 1) / 2)
            - m.loggamma(p.df / 2)
        ),
        df=3.7,
        large={"df": 400.0},
    ),
    row("gumbel_r", FORM, lambda m, z, p: -z - m.exp(-z)),
    row("gumbel_l", FORM, lambda m, z, p: z - m.exp(z)),
    row(
        "genlogistic",
        FORM,
        lambda m, z, p: m.log(p.c) - z - (p.c + 1) * m.log(1 + m.exp(-z)),
        c=1.7,
        large={"c": 400.0},
    ),
    row(
        "exponnorm",
        FORM,
        lambda m, z, p: -m.log(2 * p.K) + 1 / (2 * p.K**2) - z / p.K + m.log(m.erfc((1 / p.K - z) / m.sqrt(2))),
        K=1.4,
    ),
    row(
        "skewnorm",
        FORM,
        lambda m, z, p: m.log(2) + log_normal_pdf(m, z) + log_normal_cdf(m, p.a * z),
        a=2.5,
        real="a",
        large={"a": 400.0},
    ),
    row(
        "gennorm",
        FORM,
        lambda m, z, p: m.log(p.beta / 2) - m.loggamma(1 / p.beta) - m.abs(z) ** p.beta,
        beta=1.6,
        large={"beta": 400.0},
    ),
    row(
        "dgamma",
        FORM,
        lambda m, z, p: (p.a - 1) * m.log(m.abs(z)) - m.abs(z) - m.log(2) - m.loggamma(p.a),
        a=1.8,
        large={"a": 400.0},
    ),
    row(
        "dweibull",
        FORM,
        lambda m, z, p: m.log(p.c / 2) + (p.c - 1) * m.log(m.abs(z)) - m.abs(z) ** p.c,
        c=1.8,
        large={"c": 400.0},
    ),
    row(
        "laplace_asymmetric",
        FORM,
        lambda m, z, p: m.choose(z >= 0, -z * p.kappa, z / p.kappa) - m.log(p.kappa + 1 / p.kappa),
        kappa=1.6,
    ),
    row("hypsecant", FORM, lambda m, z, p: -m.log(m.pi * m.cosh(z))),
    row(
        "norminvgauss",
        FORM,
        lambda m, z, p: (
            m.log(p.a / m.pi)
            + m.log(m.besselk(1, p.a * m.sqrt(1 + z**2)))
            - m.log(1 + z**2) / 2
            + m.sqrt(p.a**2 - p.b**2)
            + p.b * z
        ),
        a=2.0,
        b=0.6,
        real="b",
        large={"a": 400.0},
    ),
    row("genhyperbolic", FORM, generalised_hyperbolic, p=0.8, a=2.0, b=0.6, real="pb", large={"a": 400.0}),
    row(
        "johnsonsu",
        FORM,
        lambda m, z, p: m.log(p.b) - m.log(1 + z**2) / 2 + log_normal_pdf(m, p.a + p.b * m.asinh(z)),
        a=0.7,
        b=1.4,
        real="a",
    ),
    row("jf_skew_t", FORM, t_skew, a=2.5, b=4.0, large={"a": 400.0, "b": 410.0}),
    row("moyal", FORM, lambda m, z, p: -(z + m.exp(-z)) / 2 - m.log(2 * m.pi) / 2),
    row("crystalball", FORM, crystal_ball, beta=1.3, m=2.6),
    row(
        "skewcauchy",
        FORM,
        lambda m, z, p: -m.log(m.pi) - m.log(1 + z**2 / m.choose(z >= 0, (1 + p.a) ** 2, (1 - p.a) ** 2)),
        a=0.4,
        real="a",
    ),
    row("loggamma", FORM, lambda m, z, p: p.c * z - m.exp(z) - m.loggamma(p.c), c=2.3, large={"c": 400.0}),
    row(
        "powernorm",
        FORM,
        lambda m, z, p: m.log(p.c) + log_normal_pdf(m, z) + (p.c - 1) * log_normal_cdf(m, -z),
        c=2.3,
        large={"c": 400.0},
    ),
    row(
        "pearson3",
        FORM,
        lambda m, z, p: pearson(m, z, p.skew),
        between(lambda m, p: -2 / p.skew, "oo"),
        skew=0.9,
    ),
    row(
        "genextreme",
        FORM,
        lambda m, z, p: (1 / p.c - 1) * m.log(1 - p.c * z) - (1 - p.c * z) ** (1 / p.c),
        between(lambda m, p: -m.oo, lambda m, p: 1 / p.c),
        c=0.4,
    ),
    row(
        "kappa4",
        FORM,
        kappa_four,
        between(lambda m, p: (1 - p.h**-p.k) / p.k, lambda m, p: 1 / p.k),
        h=0.3,
        k=0.4,
    ),
    row(
        "anglit",
        FORM,
        lambda m, z, p: m.log(m.cos(2 * z)),
        between(lambda m, p: -m.pi / 4, lambda m, p: m.pi / 4),
    ),
    row("cosine", FORM, lambda m, z, p: m.log(1 + m.cos(z)) - m.log(2 * m.pi), HALF_TURN),
    row("semicircular", FORM, lambda m, z, p: m.log(2 / m.pi) + m.log(1 - z**2) / 2, between(-1, 1)),
    row(
        "rdist",
        FORM,
        lambda m, z, p: (p.c / 2 - 1) * m.log(1 - z**2) - log_beta(m, m.number(1) / 2, p.c / 2),
        between(-1, 1),
        c=5.0,
        large={"c": 400.0},
    ),
    row(
        "truncnorm",
        FORM,
        lambda m, z, p: log_normal_pdf(m, z) - m.log((m.erf(p.b / m.sqrt(2)) - m.erf(p.a / m.sqrt(2))) / 2),
        between(lambda m, p: p.a, lambda m, p: p.b),
        a=-1.2,
        b=2.1,
        real="ab",
    ),
    row(
        "weibull_max",
        FORM,
        lambda m, z, p: m.log(p.c) + (p.c - 1) * m.log(-z) - (-z) ** p.c,
        between(lambda m, p: -m.oo, 0),
        c=2.3,
        large={"c": 400.0},
    ),
    row(
        "levy_l",
        FORM,
        lambda m, z, p: -m.log(2 * m.pi) / 2 - 3 * m.log(-z) / 2 + 1 / (2 * z),
        between(lambda m, p: -m.oo, 0),
    ),
    row(
        "vonmises",
        FORM,
        lambda m, z, p: p.kappa * m.cos(z) - m.log(2 * m.pi * m.besseli(0, p.kappa)),
        HALF_TURN,
        kappa=1.7,
        large={"kappa": 400.0},
    ),
    row(
        "wrapcauchy",
        FORM,
        lambda m, z, p: m.log((1 - p.c**2) / (2 * m.pi * (1 + p.c**2 - 2 * p.c * m.cos(z)))),
        between(0, lambda m, p: 2 * m.pi),
        c=0.4,
    ),
]
