"""All function nodes in one place: see nodes_base for what a node is.

`NUMERIC` maps each node's name to its mpmath function, so that any expression with nodes has a numeric face:

    sp.lambdify(args, expr, [NUMERIC, "mpmath"])
"""

from symdsm.symbolic import (
    nodes_bessel,
    nodes_elementary,
    nodes_incomplete,
    nodes_normal,
    nodes_series,
    nodes_squares,
    nodes_stirling,
    nodes_sums,
)
from symdsm.symbolic.nodes_base import Node, plain
from symdsm.symbolic.nodes_bessel import *  # noqa: F403
from symdsm.symbolic.nodes_elementary import *  # noqa: F403
from symdsm.symbolic.nodes_incomplete import *  # noqa: F403
from symdsm.symbolic.nodes_normal import *  # noqa: F403
from symdsm.symbolic.nodes_series import *  # noqa: F403
from symdsm.symbolic.nodes_squares import *  # noqa: F403
from symdsm.symbolic.nodes_stirling import *  # noqa: F403
from symdsm.symbolic.nodes_sums import *  # noqa: F403

_GROUPS = (
    nodes_elementary,
    nodes_squares,
    nodes_sums,
    nodes_normal,
    nodes_bessel,
    nodes_incomplete,
    nodes_series,
    nodes_stirling,
)

NODES: tuple[type[Node], ...] = tuple(getattr(group, name) for group in _GROUPS for name in group.__all__)
NUMERIC = {node.__name__: node.numeric for node in NODES} | {"besselk": nodes_bessel.besselk}

__all__ = ["NODES", "NUMERIC", "Node", "plain", *(node.__name__ for node in NODES)]
