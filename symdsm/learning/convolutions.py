"""A convolutional U-Net for images, (H, W) or (H, W, C).

    down   h_0 = first(v),  h_{k+1} = pool(block_k(h_k, e))            halves the sides while both are even
    up     h_k <- block'_k(h_k + widen_k(repeat(h_{k+1})), e)          sums with what went down at the same size
    last   silu, 3 by 3 convolution to `heads` numbers for each entry

e embeds the level and the context, which scale and shift each block (FiLM). Channels double from `width` as the sides
halve, at most `depth` times. Convolutions pad with zeros, so a shift of the image shifts the inner part of the result.
Groups of channels are normalised in each block (Wu & He 2018), with smooth activations, so that energies may be
differentiated in v and u.

Ronneberger, Fischer & Brox, U-Net: convolutional networks for biomedical image segmentation (2015), arXiv 1505.04597;
Ho, Jain & Abbeel, Denoising diffusion probabilistic models (2020), arXiv 2006.11239, for its use here.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from symdsm.errors import ShapeError
from symdsm.learning.backbones import EMBEDDING, Embedding

__all__ = ["UNet"]

_GROUP = 8


def _convolution(inputs, outputs, key):
    return eqx.nn.Conv2d(inputs, outputs, 3, padding=1, key=key)


class _Block(eqx.Module):
    """h + conv(silu(film(norm(conv(silu(h)))))), on `channels`."""

    inner: eqx.nn.Conv2d
    norm: eqx.nn.GroupNorm
    film: eqx.nn.Linear
    outer: eqx.nn.Conv2d

    def __init__(self, channels: int, *, key: PRNGKeyArray):
        a, b, c = jax.random.split(key, 3)
        self.inner = _convolution(channels, channels, a)
        self.norm = eqx.nn.GroupNorm(max(1, channels // _GROUP), channels)
        self.film = eqx.nn.Linear(EMBEDDING, 2 * channels, key=b)
        self.outer = _convolution(channels, channels, c)

    def __call__(self, h, e):
        scale, shift = jnp.split(self.film(e)[:, None, None], 2)
        return h + self.outer(jax.nn.silu(self.norm(self.inner(jax.nn.silu(h))) * (1.0 + scale) + shift))


class UNet(eqx.Module):
    """One image v -> (heads, *v.shape); see the module. `ShapeError` for events that are no images."""

    embedding: Embedding
    first: eqx.nn.Conv2d
    down: list[_Block]
    widen: list[eqx.nn.Conv2d]
    middle: _Block
    narrow: list[eqx.nn.Conv2d]
    up: list[_Block]
    last: eqx.nn.Conv2d
    heads: int = eqx.field(static=True)

    def __init__(self, event: tuple[int, ...], heads: int, contexts: int, width: int, depth: int, *, key: PRNGKeyArray):
        if len(event) not in (2, 3):
            raise ShapeError(
                given=f'backbone="unet" for events of shape {event}',
                expected="images, (height, width) or (height, width, channels)",
                fix='reshape the events, or use backbone="residual"',
            )
        sides, halvings = list(event[:2]), 0
        while halvings < depth and all(side % 2 == 0 and side > 2 for side in sides):
            sides, halvings = [side // 2 for side in sides], halvings + 1
        colours = event[2] if len(event) == 3 else 1
        sizes = [width * 2**k for k in range(halvings + 1)]
        keys = iter(jax.random.split(key, 4 * halvings + 4))
        self.embedding = Embedding(contexts, key=next(keys))
        self.first = _convolution(colours, width, next(keys))
        self.down = [_Block(size, key=next(keys)) for size in sizes[:-1]]
        self.widen = [eqx.nn.Conv2d(a, b, 1, key=next(keys)) for a, b in zip(sizes, sizes[1:], strict=False)]
        self.middle = _Block(sizes[-1], key=next(keys))
        self.narrow = [eqx.nn.Conv2d(b, a, 1, key=next(keys)) for a, b in zip(sizes, sizes[1:], strict=False)]
        self.up = [_Block(size, key=next(keys)) for size in sizes[:-1]]
        self.last = _convolution(width, heads * colours, next(keys))
        self.heads = heads

    def __call__(self, v: Array, u: Array, c: Array | None = None) -> Array:
        """(heads, *v.shape) for one image v, the level's coordinate u and the context c."""
        e = self.embedding(u, None if c is None else jnp.ravel(c))
        image = v[..., None] if v.ndim == 2 else v
        h, passed = self.first(jnp.moveaxis(image, -1, 0)), []
        for block, widen in zip(self.down, self.widen, strict=True):
            passed.append(block(h, e))
            h = widen(_halved(passed[-1]))
        h = self.middle(h, e)
        for block, narrow, skip in zip(self.up[::-1], self.narrow[::-1], passed[::-1], strict=True):
            h = block(skip + narrow(_doubled(h)), e)
        out = self.last(jax.nn.silu(h)).reshape(self.heads, -1, *h.shape[1:])
        return jnp.moveaxis(out, 1, -1).reshape(self.heads, *v.shape)


def _halved(h):
    """The mean of each 2 by 2 square."""
    channels, rows, columns = h.shape
    return h.reshape(channels, rows // 2, 2, columns // 2, 2).mean((2, 4))


def _doubled(h):
    """Each entry as a 2 by 2 square."""
    return jnp.repeat(jnp.repeat(h, 2, axis=1), 2, axis=2)
