"""One emitted function: its signature, the checks of the shapes, and its body."""

import keyword
import re

import sympy as sp

from symdsm.codegen.arrays_index import size_text
from symdsm.codegen.arrays_lower import Lowering
from symdsm.codegen.arrays_text import Lines

__all__ = ["Writer", "name_of"]


class Writer:
    """Signature, shape checks and body of one function."""

    def __init__(self, d, reading=None, without_noisy=False):
        self.d, self.reading = d, d.readings if reading is None else reading
        self.arrays = [b for b in d.shapes if not (without_noisy and b == d.noisy)]
        symbols = [d.noisy, d.clean, *d.array_params, *d.scalar_params]
        self.names = {s: name_of(s) for s in symbols}
        self.parameters = sorted(name_of(s) for s in (*d.array_params, *d.scalar_params))
        taken = set(self.names.values()) | {"jax", "jnp", "key", "value"}
        for size in d.sizes:
            self.names[size] = name_of(size) if name_of(size) not in taken else f"{name_of(size)}_size"
            taken.add(self.names[size])
        self.names.update({b.label: self.names[b] for b in d.array_params})
        self.lowering = Lowering(d, self.names, self.names[d.clean if without_noisy else d.noisy])
        self.lines = Lines(self.lowering, taken)
        self.first = None if without_noisy else self.names[d.noisy]

    def function(self, name, body, doc, first=None):
        places = [name for name in (first or self.first, self.names[self.d.clean]) if name]
        positional = ", ".join(f"{name}: jax.Array" for name in places)
        arrays = {self.names[b] for b in self.d.array_params}
        typed = [f"{p}: jax.Array" if p in arrays else f"{p}: jax.Array | float" for p in self.parameters]
        keywords = f", *, {', '.join(typed)}" if typed else ""
        head = [f"def {name}({positional}, /{keywords}) -> jax.Array:", f'    """{doc}"""']
        lines = [*self._checks(), *body]
        lines = [line for k, line in enumerate(lines) if not self._is_unused(line, lines[k + 1 :])]
        return "\n".join(head + ["    " + line for line in lines]) + "\n"

    def signature(self) -> dict[str, str]:
        """The core dimensions of each argument, in the words of `jnp.vectorize`: {"y": "(n)", "P": "(n,n)", ...}."""
        words: dict = {}

        def dimension(length):
            plain = size_text(length)
            return words.setdefault(plain, plain if plain.isidentifier() else f"size{len(words)}")

        return {name: f"({','.join(map(dimension, shape))})" for name, shape in self.shapes().items()}

    def shapes(self) -> dict[str, tuple]:
        """The symbolic shape of each argument, in the order of the arguments."""
        symbols = {self.names[b]: b for b in (self.d.noisy, self.d.clean, *self.d.array_params, *self.d.scalar_params)}
        order = [self.names[self.d.noisy], self.names[self.d.clean], *self.parameters]
        shapes = {name: self.d.shapes.get(symbols[name], ()) for name in order}
        for b in self.d.array_params:
            if not self.d.shapes[b]:
                shapes[self.names[b]] = (sp.Symbol(f"{self.names[b]}_side"),) * 2
        return shapes

    def _is_unused(self, line, later):
        """A size that is read and never used."""
        name, _, value = line.partition(" = ")
        is_size = name in {self.names[size] for size in self.d.sizes} and "jnp.shape" in value
        code = [" ".join(re.findall(r"\{[^}]*\}", o)) if o.lstrip().startswith("raise ") else o for o in later]
        return is_size and not any(re.search(rf"\b{name}\b", other) for other in code)

    def _checks(self):
        lines = []
        for base in self.arrays:
            rank, name = len(self.d.shapes[base]), self.names[base]
            if rank and any(r.base == base for r in self.reading):
                lines += _refusal(
                    f"jnp.ndim({name}) != {rank}",
                    f"{name} needs {rank} ax{'is' if rank == 1 else 'es'}, got shape {{jnp.shape({name})}}",
                )
        for r in self.reading:
            length = f"jnp.shape({self.names[r.base]})[{r.axis}]"
            if r.offset != 0:
                offset = self.sized(r.offset)
                length = f"{length} - {offset}" if offset.isidentifier() else f"{length} - ({offset})"
            if r.stride != 1:
                length = f"({length}) // {r.stride}" if r.offset != 0 else f"{length} // {r.stride}"
            lines.append(f"{self.names[r.size]} = {length}")
        for base in self.arrays:
            lengths = self.d.shapes[base]
            read = [r for r in self.reading if r.base == base]
            if lengths and not (len(read) == len(lengths) and all(r.stride == 1 for r in read)):
                texts = [self.sized(length) for length in lengths]
                shape = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
                symbols = ", ".join(map(str, lengths)) + ("," if len(lengths) == 1 else "")
                told = ", ".join(f"{r.size} from axis {r.axis} of {self.names[r.base]}" for r in self.reading)
                told = f" ({told})" if told else ""
                name = self.names[base]
                message = f"{name} needs shape ({symbols}) = {{{shape}}}{told}, got {{jnp.shape({name})}}"
                lines += _refusal(f"jnp.shape({name}) != {shape}", message)
            elif not lengths:
                square = f"jnp.ndim({self.names[base]}) != 2 or len(set(jnp.shape({self.names[base]}))) != 1"
                lines += _refusal(
                    square,
                    f"{self.names[base]} needs to be a square matrix, got shape {{jnp.shape({self.names[base]})}}",
                )
        scalars = [s for s in (self.d.clean, *self.d.scalar_params) if s.is_Symbol]
        for name in (self.names[s] for s in scalars):
            lines += _refusal(f"jnp.ndim({name}) != 0", f"{name} needs to be a scalar, got shape {{jnp.shape({name})}}")
        return lines

    def sized(self, e):
        return size_text(sp.sympify(e).xreplace({s: sp.Symbol(self.names[s], integer=True) for s in self.d.sizes}))


def _refusal(condition, message):
    return [f"if {condition}:", f'    raise ValueError(f"{message}")']


def name_of(symbol) -> str:
    name = re.sub(r"\W", "_", str(symbol))
    return f"{name}_" if keyword.iskeyword(name) or name[:1].isdigit() else name
