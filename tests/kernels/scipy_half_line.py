"""SciPy's laws as scale kernels y = x z."""

from tests.kernels.scipy_rows import FROM_ONE, UNIT, between, log_beta, log_normal_cdf, log_normal_pdf, row


def relativistic_breit_wigner(m, z, p):
    rho = p.rho
    root = m.sqrt(rho**2 + 1)
    const = 2 * m.sqrt(2) * rho**2 * root / (m.pi * m.sqrt(rho**2 + rho * root))
    return m.log(const) - m.log((z**2 - rho**2) ** 2 + rho**2)


def trapezoid(m, z, p):
    c, d = p.c, p.d
    height = m.log(2 / (d - c + 1))
    return height + m.choose(z < c, m.log(z / c), m.choose(z <= d, m.number(0), m.log((1 - z) / (1 - d))))


def triangle(m, z, p):
    c = p.c
    return m.log(2) + m.choose(z < c, m.log(z / c), m.log((1 - z) / (1 - c)))


def argus(m, z, p):
    c = p.chi
    mass = m.erf(c / m.sqrt(2)) / 2 - c * m.exp(-(c**2) / 2) / m.sqrt(2 * m.pi)
    return 3 * m.log(c) - m.log(2 * m.pi) / 2 - m.log(mass) + m.log(z) + m.log(1 - z**2) / 2 - c**2 * (1 - z**2) / 2


FORM = "scale"
ROWS = [
    row("arcsine", FORM, lambda m, z, p: -m.log(m.pi) - m.log(z * (1 - z)) / 2, UNIT),
    row("expon", FORM, lambda m, z, p: -z),
    row(
        "gamma",
        FORM,
        lambda m, z, p: (p.a - 1) * m.log(z) - z - m.loggamma(p.a),
        a=2.6,
        large={"a": 400.0},
    ),
    row(
        "chi",
        FORM,
        lambda m, z, p: (1 - p.df / 2) * m.log(2) + (p.df - 1) * m.log(z) - z**2 / 2 - m.loggamma(p.df / 2),
        df=3.5,
        large={"df": 400.0},
    ),
    row(
        "chi2",
        FORM,
        lambda m, z, p: (p.df / 2 - 1) * m.log(z) - z / 2 - p.df / 2 * m.log(2) - m.loggamma(p.df / 2),
        df=4.5,
        large={"df": 400.0},
    ),
    row("halfnorm", FORM, lambda m, z, p: m.log(2 / m.pi) / 2 - z**2 / 2),
    row("halfcauchy", FORM, lambda m, z, p: m.log(2 / (m.pi * (1 + z**2)))),
    row("halflogistic", FORM, lambda m, z, p: m.log(2) - z - 2 * m.log(1 + m.exp(-z))),
    row(
        "genhalflogistic",
        FORM,
        lambda m, z, p: m.log(2) + (1 / p.c - 1) * m.log(1 - p.c * z) - 2 * m.log(1 + (1 - p.c * z) ** (1 / p.c)),
        between(0, lambda m, p: 1 / p.c),
        c=0.4,
    ),
    row(
        "halfgennorm",
        FORM,
        lambda m, z, p: m.log(p.beta) - m.loggamma(1 / p.beta) - z**p.beta,
        beta=1.6,
        large={"beta": 400.0},
    ),
    row(
        "foldnorm",
        FORM,
        lambda m, z, p: m.log(2 / m.pi) / 2 + m.log(m.cosh(p.c * z)) - (z**2 + p.c**2) / 2,
        c=1.4,
        large={"c": 400.0},
    ),
    row(
        "foldcauchy",
        FORM,
        lambda m, z, p: m.log((1 / (1 + (z - p.c) ** 2) + 1 / (1 + (z + p.c) ** 2)) / m.pi),
        c=1.4,
        large={"c": 400.0},
    ),
    row(
        "rice",
        FORM,
        lambda m, z, p: m.log(z) - (z**2 + p.b**2) / 2 + m.log(m.besseli(0, z * p.b)),
        b=1.4,
        large={"b": 400.0},
    ),
    row(
        "ncx2",
        FORM,
        lambda m, z, p: (
            -m.log(2)
            - (z + p.nc) / 2
            + (p.df / 4 - m.number(1) / 2) * m.log(z / p.nc)
            + m.log(m.besseli(p.df / 2 - 1, m.sqrt(p.nc * z)))
        ),
        df=3.0,
        nc=1.6,
        large={"df": 400.0},
    ),
    row(
        "nakagami",
        FORM,
        lambda m, z, p: m.log(2) + p.nu * m.log(p.nu) - m.loggamma(p.nu) + (2 * p.nu - 1) * m.log(z) - p.nu * z**2,
        nu=1.8,
        large={"nu": 400.0},
    ),
    row("maxwell", FORM, lambda m, z, p: m.log(2 / m.pi) / 2 + 2 * m.log(z) - z**2 / 2),
    row("rayleigh", FORM, lambda m, z, p: m.log(z) - z**2 / 2),
    row(
        "invgamma",
        FORM,
        lambda m, z, p: -(p.a + 1) * m.log(z) - m.loggamma(p.a) - 1 / z,
        a=2.6,
        large={"a": 400.0},
    ),
    row(
        "invgauss",
        FORM,
        lambda m, z, p: -m.log(2 * m.pi * z**3) / 2 - (z - p.mu) ** 2 / (2 * z * p.mu**2),
        mu=1.4,
        large={"mu": 400.0},
    ),
    row(
        "recipinvgauss",
        FORM,
        lambda m, z, p: -m.log(2 * m.pi * z) / 2 - (1 - p.mu * z) ** 2 / (2 * z * p.mu**2),
        mu=1.4,
        large={"mu": 400.0},
    ),
    row("wald", FORM, lambda m, z, p: -m.log(2 * m.pi * z**3) / 2 - (z - 1) ** 2 / (2 * z)),
    row("levy", FORM, lambda m, z, p: -m.log(2 * m.pi * z**3) / 2 - 1 / (2 * z)),
    row(
        "invweibull",
        FORM,
        lambda m, z, p: m.log(p.c) - (p.c + 1) * m.log(z) - z**-p.c,
        c=2.2,
        large={"c": 400.0},
    ),
    row(
        "weibull_min",
        FORM,
        lambda m, z, p: m.log(p.c) + (p.c - 1) * m.log(z) - z**p.c,
        c=2.3,
        large={"c": 400.0},
    ),
    row(
        "exponweib",
        FORM,
        lambda m, z, p: m.log(p.a * p.c) + (p.a - 1) * m.log(1 - m.exp(-(z**p.c))) - z**p.c + (p.c - 1) * m.log(z),
        a=1.7,
        c=1.4,
        large={"a": 400.0},
    ),
    row(
        "exponpow",
        FORM,
        lambda m, z, p: m.log(p.b) + (p.b - 1) * m.log(z) + 1 + z**p.b - m.exp(z**p.b),
        b=1.7,
        large={"b": 400.0},
    ),
    row(
        "gengamma",
        FORM,
        lambda m, z, p: m.log(p.c) + (p.c * p.a - 1) * m.log(z) - z**p.c - m.loggamma(p.a),
        a=1.7,
        c=1.4,
        large={"a": 400.0},
    ),
    row(
        "genexpon",
        FORM,
        lambda m, z, p: m.log(p.a + p.b * (1 - m.exp(-p.c * z))) - (p.a + p.b) * z + p.b / p.c * (1 - m.exp(-p.c * z)),
        a=0.8,
        b=1.7,
        c=1.4,
        large={"b": 400.0},
    ),
    row(
        "geninvgauss",
        FORM,
        lambda m, z, p: (p.p - 1) * m.log(z) - p.b * (z + 1 / z) / 2 - m.log(2 * m.besselk(p.p, p.b)),
        p=1.3,
        b=1.6,
        real="p",
        large={"b": 400.0},
    ),
    row("genpareto", FORM, lambda m, z, p: -(1 + 1 / p.c) * m.log(1 + p.c * z), c=0.4),
    row("lomax", FORM, lambda m, z, p: m.log(p.c) - (p.c + 1) * m.log(1 + z), c=2.3, large={"c": 400.0}),
    row(
        "pareto",
        FORM,
        lambda m, z, p: m.log(p.b) - (p.b + 1) * m.log(z),
        FROM_ONE,
        b=2.3,
        large={"b": 400.0},
    ),
    row(
        "truncpareto",
        FORM,
        lambda m, z, p: m.log(p.b) - m.log(1 - p.c**-p.b) - (p.b + 1) * m.log(z),
        between(1, lambda m, p: p.c),
        b=1.3,
        c=9.0,
    ),
    row(
        "truncweibull_min",
        FORM,
        lambda m, z, p: m.log(p.c) - m.log(m.exp(-(p.a**p.c)) - m.exp(-(p.b**p.c))) + (p.c - 1) * m.log(z) - z**p.c,
        between(lambda m, p: p.a, lambda m, p: p.b),
        c=1.7,
        a=0.3,
        b=2.0,
    ),
    row(
        "powerlaw",
        FORM,
        lambda m, z, p: m.log(p.a) + (p.a - 1) * m.log(z),
        UNIT,
        a=2.3,
        large={"a": 400.0},
    ),
    row("lognorm", FORM, lambda m, z, p: log_normal_pdf(m, m.log(z) / p.s) - m.log(p.s * z), s=0.8),
    row("gibrat", FORM, lambda m, z, p: log_normal_pdf(m, m.log(z)) - m.log(z)),
    row(
        "powerlognorm",
        FORM,
        lambda m, z, p: (
            m.log(p.c / (z * p.s)) + log_normal_pdf(m, m.log(z) / p.s) + (p.c - 1) * log_normal_cdf(m, -m.log(z) / p.s)
        ),
        c=1.7,
        s=0.8,
        large={"c": 400.0},
    ),
    row(
        "johnsonsb",
        FORM,
        lambda m, z, p: m.log(p.b) - m.log(z * (1 - z)) + log_normal_pdf(m, p.a + p.b * m.log(z / (1 - z))),
        UNIT,
        a=0.7,
        b=1.4,
        real="a",
    ),
    row(
        "kappa3",
        FORM,
        lambda m, z, p: m.log(p.a) - (p.a + 1) / p.a * m.log(p.a + z**p.a),
        a=1.6,
    ),
    row(
        "loglaplace",
        FORM,
        lambda m, z, p: m.log(p.c / 2) + m.choose(z < 1, (p.c - 1) * m.log(z), -(p.c + 1) * m.log(z)),
        c=1.8,
        large={"c": 400.0},
    ),
    row(
        "burr",
        FORM,
        lambda m, z, p: m.log(p.c * p.d) - (p.c + 1) * m.log(z) - (p.d + 1) * m.log(1 + z**-p.c),
        c=2.5,
        d=0.8,
        large={"d": 400.0},
    ),
    row(
        "burr12",
        FORM,
        lambda m, z, p: m.log(p.c * p.d) + (p.c - 1) * m.log(z) - (p.d + 1) * m.log(1 + z**p.c),
        c=2.5,
        d=0.8,
        large={"d": 400.0},
    ),
    row(
        "fisk",
        FORM,
        lambda m, z, p: m.log(p.c) + (p.c - 1) * m.log(z) - 2 * m.log(1 + z**p.c),
        c=2.5,
        large={"c": 400.0},
    ),
    row(
        "mielke",
        FORM,
        lambda m, z, p: m.log(p.k) + (p.k - 1) * m.log(z) - (1 + p.k / p.s) * m.log(1 + z**p.s),
        k=2.1,
        s=3.2,
        large={"k": 400.0},
    ),
    row(
        "f",
        FORM,
        lambda m, z, p: (
            p.dfn / 2 * m.log(p.dfn / p.dfd)
            + (p.dfn / 2 - 1) * m.log(z)
            - (p.dfn + p.dfd) / 2 * m.log(1 + p.dfn * z / p.dfd)
            - log_beta(m, p.dfn / 2, p.dfd / 2)
        ),
        dfn=5.0,
        dfd=7.0,
        large={"dfn": 400.0, "dfd": 410.0},
    ),
    row(
        "beta",
        FORM,
        lambda m, z, p: (p.a - 1) * m.log(z) + (p.b - 1) * m.log(1 - z) - log_beta(m, p.a, p.b),
        UNIT,
        a=2.5,
        b=1.7,
        large={"a": 400.0, "b": 410.0},
    ),
    row(
        "betaprime",
        FORM,
        lambda m, z, p: (p.a - 1) * m.log(z) - (p.a + p.b) * m.log(1 + z) - log_beta(m, p.a, p.b),
        a=2.5,
        b=3.3,
        large={"a": 400.0, "b": 410.0},
    ),
    row(
        "bradford",
        FORM,
        lambda m, z, p: m.log(p.c / (m.log(1 + p.c) * (1 + p.c * z))),
        UNIT,
        c=1.7,
        large={"c": 400.0},
    ),
    row("uniform", FORM, lambda m, z, p: m.number(0), UNIT),
    row("triang", FORM, triangle, UNIT, c=0.3),
    row("trapezoid", FORM, trapezoid, UNIT, c=0.2, d=0.7),
    row(
        "truncexpon",
        FORM,
        lambda m, z, p: -z - m.log(1 - m.exp(-p.b)),
        between(0, lambda m, p: p.b),
        b=2.5,
        large={"b": 400.0},
    ),
    row(
        "loguniform",
        FORM,
        lambda m, z, p: -m.log(z) - m.log(m.log(p.b / p.a)),
        between(lambda m, p: p.a, lambda m, p: p.b),
        a=0.4,
        b=5.0,
    ),
    row("argus", FORM, argus, UNIT, chi=1.7),
    row(
        "alpha",
        FORM,
        lambda m, z, p: -2 * m.log(z) - log_normal_cdf(m, p.a) + log_normal_pdf(m, p.a - 1 / z),
        a=1.7,
        large={"a": 400.0},
    ),
    row(
        "fatiguelife",
        FORM,
        lambda m, z, p: m.log((z + 1) / (2 * p.c)) - m.log(2 * m.pi * z**3) / 2 - (z - 1) ** 2 / (2 * z * p.c**2),
        c=0.9,
        large={"c": 400.0},
    ),
    row("gompertz", FORM, lambda m, z, p: m.log(p.c) + z - p.c * (m.exp(z) - 1), c=0.6, large={"c": 400.0}),
    row("rel_breitwigner", FORM, relativistic_breit_wigner, rho=1.7, large={"rho": 400.0}),
]
