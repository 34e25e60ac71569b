"""The emitted text as a formatter would leave it: 88 columns, one statement a line, no bracket that is not needed.

`formatted` parses a module and prints it anew. A statement that fits stays on its line. One that does not is broken,
outermost first: a call or a literal at its own brackets (the arguments on one line of their own when they fit there,
else one a line), an operation before its loosest operators, inside brackets that it gets for the purpose. This is the
common style of Black and ruff; a test holds `ruff format --check` against every family. Comments are not kept, and
constructs that no template emits are printed by `ast.unparse`.
"""

import ast
from typing import NamedTuple

from symdsm.errors import CodegenError

__all__ = ["WIDTH", "formatted"]

WIDTH = 88

_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
           ast.MatMult: "@", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}  # fmt: skip
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
            ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"}  # fmt: skip
_UNARY = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~", ast.Not: "not "}
_BINDING = {"or": 1, "and": 2, "not ": 3, "|": 5, "^": 6, "&": 7, "+": 8, "@": 8.5, "*": 9, "unary": 10, "**": 11}
_ATOM = 20


def formatted(source: str) -> str:
    """The module anew; the same text for the same syntax tree. Raises CodegenError when its meaning would change."""
    tree = ast.parse(source)
    text = "\n".join(_block(tree.body, 0, source)) + "\n"
    if ast.dump(ast.parse(text)) != ast.dump(tree):
        raise CodegenError(
            given="a generated module that its layout would change",
            expected="the same syntax tree before and after",
            fix="report this declaration: codegen/layout.py prints one of its expressions wrongly",
        )
    return text


# ---- statements ----------------------------------------------------------------------------------------------------


def _block(body: list[ast.stmt], indent: int, source: str) -> list[str]:
    lines: list[str] = []
    for k, statement in enumerate(body):
        if k:
            lines += [""] * _gap(body[k - 1], statement, indent)
        lines += _statement(statement, indent, source)
    return lines


def _gap(before: ast.stmt, after: ast.stmt, indent: int) -> int:
    """Empty lines between two statements."""
    imports = isinstance(before, (ast.Import, ast.ImportFrom)), isinstance(after, (ast.Import, ast.ImportFrom))
    if all(imports):
        return int(_section(before) != _section(after))
    if isinstance(before, ast.FunctionDef) or isinstance(after, ast.FunctionDef) or imports[0]:
        return 1 if indent else 2
    return int(_is_docstring(before) and not indent)


def _section(statement) -> int:
    """Standard library, installed packages, neighbours."""
    name = (statement.module if isinstance(statement, ast.ImportFrom) else statement.names[0].name).split(".")[0]
    return {"math": 0, "functools": 0, "jax": 1}.get(name, 2)


def _is_docstring(statement) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _statement(statement: ast.stmt, indent: int, source: str) -> list[str]:
    pad = " " * indent
    match statement:
        case ast.FunctionDef():
            return [*_head(statement, indent), *_block(statement.body, indent + 4, source)]
        case ast.Expr(ast.Constant(str())):
            return (pad + ast.get_source_segment(source, statement)).split("\n")
        case ast.Return(value) if value is not None:
            return _with_value(pad + "return ", value, indent)
        case ast.Assign([target], value):
            left = ", ".join(map(_flat, target.elts)) if isinstance(target, ast.Tuple) else _flat(target)
            return _with_value(f"{pad}{left} = ", value, indent)
        case ast.AugAssign(target, op, value):
            return _with_value(f"{pad}{_flat(target)} {_BINARY[type(op)]}= ", value, indent)
        case ast.Raise(value):
            return _with_value(pad + "raise ", value, indent)
        case ast.If(test, body, orelse):
            lines = [*_with_value(pad + "if ", test, indent, ":"), *_block(body, indent + 4, source)]
            return lines + ([pad + "else:", *_block(orelse, indent + 4, source)] if orelse else [])
        case ast.Expr(value):
            return _with_value(pad, value, indent)
    return [pad + line for line in ast.unparse(statement).split("\n")]


def _head(function: ast.FunctionDef, indent: int) -> list[str]:
    pad, returns = " " * indent, f" -> {_flat(function.returns)}" if function.returns else ""
    parameters = _parameters(function.args)
    line = f"{pad}def {function.name}({', '.join(parameters)}){returns}:"
    if len(line) <= WIDTH:
        return [line]
    inner = f"{pad}    {', '.join(parameters)}"
    inside = [inner] if len(inner) <= WIDTH else [f"{pad}    {p}," for p in parameters]
    return [f"{pad}def {function.name}(", *inside, f"{pad}){returns}:"]


def _parameters(arguments: ast.arguments) -> list[str]:
    def one(a):
        return f"{a.arg}: {_flat(a.annotation)}" if a.annotation else a.arg

    plain, count = [*arguments.posonlyargs, *arguments.args], len(arguments.defaults)
    out = [one(a) for a in plain]
    for k, default in enumerate(arguments.defaults, len(plain) - count):
        out[k] += f" = {_flat(default)}" if plain[k].annotation else f"={_flat(default)}"
    if arguments.posonlyargs:
        out.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg:
        out.append(f"*{one(arguments.vararg)}")
    elif arguments.kwonlyargs:
        out.append("*")
    return out + [one(a) for a in arguments.kwonlyargs]


def _with_value(start: str, value: ast.expr, indent: int, end: str = "") -> list[str]:
    """`start value end`, broken where it must be."""
    bare = isinstance(value, ast.Tuple) and bool(value.elts)
    flat = ", ".join(map(_flat, value.elts)) + "," * (len(value.elts) == 1) if bare else _flat(value)
    pad = " " * indent
    if len(start + flat + end) <= WIDTH:
        return [start + flat + end]
    if not bare and len(_chain(value)) <= 2:
        lines = (start + _broken(value, len(start), indent, len(end)) + end).split("\n")
        if isinstance(value, (ast.Call, ast.List, ast.Dict)) or max(map(len, lines)) <= WIDTH and _may_stay_bare(value):
            return lines
    if bare:
        inside = _one_a_line(value.elts, indent)
    else:
        inside = pad + "    " + _fit(value, indent + 4, indent + 4, 0)
    return f"{start}(\n{inside}\n{pad}){end}".split("\n")


def _may_stay_bare(e: ast.expr) -> bool:
    """One loosest operator at most, and brackets at the end, or a bracket at the beginning."""
    pieces = _pieces(e)
    return len(_chain(e)) == 1 or not isinstance(pieces[-1], str) or not isinstance(pieces[0], str)


def _at_brackets(e: ast.expr, column: int, indent: int, tail: int) -> str:
    """Broken at outer brackets only: each stays on its line when what follows it, to the next bracket, fits too."""
    pieces = _pieces(e)
    out = ""
    for k, piece in enumerate(pieces):
        if isinstance(piece, str):
            out += piece
            column += len(piece)
            continue
        after = [*pieces[k + 1 :], None]
        then = (after[0] if isinstance(after[0], str) else "") + "(" * (len(after) > 2)
        flat = f"({', '.join(map(_flat, piece.parts))})"
        if column + len(flat) + len(then) + (tail if len(after) <= 2 else 0) > WIDTH:
            flat = f"(\n{_listed(piece, indent)}\n{' ' * indent})"
            column = indent + 1 - len(flat)
        out, column = out + flat, column + len(flat)
    return out


class _Brackets(NamedTuple):
    """What stands between brackets: the arguments of a call, or one expression."""

    parts: list


def _pieces(e: ast.expr, least=0) -> list[str | _Brackets]:
    """The text, and in between the contents of the outermost brackets that can be broken."""
    if _binding(e) < least:
        return [_Brackets([e])]
    match e:
        case ast.Call(func, args, keywords) if args or keywords:
            return _glued([*_pieces(func, _ATOM), _Brackets([*args, *keywords])])
        case ast.Attribute(value, attribute):
            return _glued([*_pieces(value, _ATOM), f".{attribute}"])
        case ast.UnaryOp(op, operand):
            return _glued([_UNARY[type(op)], *_pieces(operand, _least(e, 0))])
        case ast.BinOp() | ast.Compare() | ast.BoolOp() if not _is_tight(e):
            out: list = []
            for k, (operator, part) in enumerate(_chain(e)):
                out += [f" {operator} "] * (k > 0) + _pieces(part, _least(e, k))
            return _glued(out)
    return [_flat(e)]


def _glued(pieces: list) -> list:
    """Neighbouring texts as one."""
    out: list = []
    for piece in pieces:
        if out and isinstance(piece, str) and isinstance(out[-1], str):
            out[-1] += piece
        else:
            out.append(piece)
    return out


# ---- expressions ---------------------------------------------------------------------------------------------------


def _fit(e: ast.expr, column: int, indent: int, tail: int, least=0) -> str:
    """The expression on the rest of the line when it fits, else broken; we are inside brackets."""
    flat = _flat(e, least)
    if column + len(flat) + tail <= WIDTH:
        return flat
    if _binding(e) < least:
        inner = " " * (indent + 4)
        return f"(\n{inner}{_fit(e, indent + 4, indent + 4, 0)}\n{' ' * indent})"
    chain = _chain(e)
    if len(chain) == 1:
        return _broken(e, column, indent, tail)
    lines = []
    for k, (operator, part) in enumerate(chain):
        lead = f"{operator} " if k else ""
        end = tail if k == len(chain) - 1 else 0
        lines.append(lead + _fit(part, indent + len(lead) if k else column, indent, end, _least(e, k)))
    return f"\n{' ' * indent}".join(lines)


def _broken(e: ast.expr, column: int, indent: int, tail: int) -> str:
    """Broken at the expression's own brackets."""
    pad = " " * indent
    match e:
        case ast.Tuple(elts):
            return f"(\n{_one_a_line(elts, indent)}\n{pad})"
        case ast.List(elts):
            return f"[\n{_one_a_line(elts, indent)}\n{pad}]"
        case ast.Dict(keys, values):
            rows = []
            for key, value in zip(keys, values, strict=True):
                lead = f"{pad}    {_flat(key)}: "
                rows.append(lead + _fit(value, len(lead), indent + 4, 1) + ",")
            return "{\n" + "\n".join(rows) + f"\n{pad}}}"
    return _at_brackets(e, column, indent, tail)


def _joined(e) -> str:
    parts = [(operator, _flat(part, _least(e, k))) for k, (operator, part) in enumerate(_chain(e))]
    return "".join(f" {operator} {text}" if operator else text for operator, text in parts)


def _listed(brackets: _Brackets, indent: int) -> str:
    """The contents of brackets: on one line when they fit there, else broken; arguments then stand one a line."""
    pad, parts = " " * (indent + 4), brackets.parts
    line = pad + ", ".join(map(_flat, parts))
    if len(line) <= WIDTH:
        return line
    if len(parts) > 1:
        return _one_a_line(parts, indent)
    return pad + _argument(parts[0], indent + 4, 0)


def _one_a_line(parts, indent) -> str:
    pad = " " * (indent + 4)
    return "\n".join(f"{pad}{_argument(p, indent + 4, 1)}," for p in parts)


def _argument(e, indent: int, tail: int) -> str:
    if isinstance(e, ast.keyword):
        lead = f"{e.arg}=" if e.arg else "**"
        return lead + _fit(e.value, indent + len(lead), indent, tail)
    return _fit(e, indent, indent, tail)


def _chain(e: ast.expr) -> list[tuple[str, ast.expr]]:
    """The operands of the loosest operators with the operator before each: a + b - c is three."""
    match e:
        case ast.IfExp(test, body, orelse):
            return [("", body), ("if", test), ("else", orelse)]
        case ast.BinOp(left, op, right):
            same = isinstance(left, ast.BinOp) and _binding(left) == _binding(e) != _BINDING["**"]
            inner = _chain(left) if same else [("", left)]
            return [*inner, (_BINARY[type(op)], right)]
        case ast.BoolOp(op, values):
            word = "and" if isinstance(op, ast.And) else "or"
            return [(word if k else "", v) for k, v in enumerate(values)]
        case ast.Compare(left, ops, comparators):
            return [("", left), *((_COMPARE[type(o)], c) for o, c in zip(ops, comparators, strict=True))]
    return [("", e)]


def _least(e, place):
    """How tightly the operand at that place must hold together to stand without brackets."""
    if isinstance(e, ast.BinOp) and isinstance(e.op, ast.MatMult):
        return _BINDING["unary"]
    if isinstance(e, ast.UnaryOp) and _binding(e.operand) == _BINDING["**"]:
        return _ATOM
    if _binding(e) == _BINDING["**"]:
        return _BINDING["unary"] if place else _ATOM
    return _binding(e) + (place > 0)


def _binding(e):
    """How tightly the expression holds together; a product of matrices gets brackets inside other products."""
    match e:
        case ast.BinOp(_, op, _):
            sign = _BINARY[type(op)]
            return _BINDING.get({"-": "+", "/": "*", "//": "*", "%": "*"}.get(sign, sign), 0)
        case ast.UnaryOp(op, _):
            return _BINDING["not " if isinstance(op, ast.Not) else "unary"]
        case ast.BoolOp(op, _):
            return _BINDING["and" if isinstance(op, ast.And) else "or"]
        case ast.Compare():
            return 4
        case ast.IfExp() | ast.Lambda():
            return 0
    return _ATOM


def _flat(e, least=0):
    """On one line, in brackets when it binds less tightly than `least`."""
    text = _one_line(e)
    return f"({text})" if isinstance(e, ast.expr) and _binding(e) < least else text


def _one_line(e) -> str:
    match e:
        case ast.keyword(arg, value):
            return f"{arg}={_flat(value)}" if arg else f"**{_flat(value)}"
        case ast.BinOp(left, ast.Pow(), right) if _is_tight(e):
            return f"{_flat(left)}**{_flat(right)}"
        case ast.BinOp() | ast.Compare() | ast.BoolOp() | ast.IfExp():
            return _joined(e)
        case ast.UnaryOp(op, operand):
            return _UNARY[type(op)] + _flat(operand, _least(e, 0))
        case ast.Call(func, args, keywords):
            return f"{_flat(func, _ATOM)}({', '.join(map(_flat, [*args, *keywords]))})"
        case ast.Attribute(value, attribute):
            return f"{_flat(value, _ATOM)}.{attribute}"
        case ast.Subscript(value, index):
            inside = ", ".join(map(_flat, index.elts)) if isinstance(index, ast.Tuple) else _flat(index)
            return f"{_flat(value, _ATOM)}[{inside}]"
        case ast.Tuple(elts):
            return f"({', '.join(map(_flat, elts))}{',' * (len(elts) == 1)})"
        case ast.List(elts):
            return f"[{', '.join(map(_flat, elts))}]"
        case ast.Dict(keys, values):
            return "{" + ", ".join(f"{_flat(k)}: {_flat(v)}" for k, v in zip(keys, values, strict=True)) + "}"
        case ast.Starred(value):
            return f"*{_flat(value)}"
        case ast.Constant(str() as value):
            return f'"{value}"' if '"' not in value and "\\" not in repr(value) else repr(value)
        case ast.Slice(lower, upper, None):
            gap = " " * any(isinstance(b, (ast.BinOp, ast.Call)) for b in (lower, upper))
            return (_flat(lower) + gap if lower else "") + ":" + (gap + _flat(upper) if upper else "")
        case ast.GeneratorExp(elt, generators) | ast.ListComp(elt, generators):
            inside = f"{_flat(elt)} {' '.join(map(_for, generators))}"
            return f"({inside})" if isinstance(e, ast.GeneratorExp) else f"[{inside}]"
        case ast.JoinedStr() | ast.DictComp() | ast.Lambda():
            return _unparsed(e)
    return ast.unparse(e)


def _for(generator: ast.comprehension) -> str:
    conditions = "".join(f" if {_flat(c)}" for c in generator.ifs)
    target = generator.target
    names = ", ".join(map(_flat, target.elts)) if isinstance(target, ast.Tuple) else _flat(target)
    return f"for {names} in {_flat(generator.iter)}{conditions}"


def _unparsed(e) -> str:
    """ast.unparse with double quotes around strings."""
    text = ast.unparse(e)
    return text.replace("'", '"') if '"' not in text else text


def _is_tight(e) -> bool:
    """A power without spaces around its sign."""
    if not (isinstance(e, ast.BinOp) and isinstance(e.op, ast.Pow)):
        return False
    return _is_simple(e.left) and not isinstance(e.left, ast.UnaryOp) and _is_simple(e.right)


def _is_simple(e) -> bool:
    """An operand around which ** takes no spaces."""
    match e:
        case ast.Name() | ast.Constant():
            return True
        case ast.Attribute(value, _):
            return _is_simple(value)
        case ast.UnaryOp(ast.USub(), operand):
            return isinstance(operand, (ast.Name, ast.Constant))
    return False
