"""The command line: derive, check, run, report.

    symdsm derive "Normal(x, sigma)" --level sigma --proof gaussian.tex
    symdsm check "x*Gamma(L, 1/L) where x > 0"
    symdsm run models/digits.py --out runs/digits
    symdsm report runs/digits

An EXPR is read by our own parser of a small grammar; no text is ever evaluated as Python.  Errors of symdsm
are printed without a traceback and end with status 2; Ctrl-C ends with status 130.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import __version__
from .errors import ParameterError, RunError, SymdsmError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except SymdsmError as error:
        print(f"{type(error).__name__}\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="symdsm",
        description="From a noise kernel to its score, its code, and a posterior you can trust.",
    )
    parser.add_argument("--version", action="version", version=f"symdsm {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    derive = commands.add_parser("derive", help="show the score of a kernel, and write its JAX code")
    derive.add_argument("expression", metavar="EXPR", help='the noisy value, such as "Normal(x, sigma)"')
    _declaration(derive)
    derive.add_argument("--write", metavar="FILE", help="write the JAX module to FILE")
    derive.add_argument("--proof", metavar="FILE", help="write the proof that score matching is valid: .tex or .md")
    derive.set_defaults(command=_derive)

    check = commands.add_parser("check", help="say under which conditions score matching holds for a kernel")
    check.add_argument("expression", metavar="EXPR")
    _declaration(check)
    check.set_defaults(command=_check)

    run = commands.add_parser("run", help="run a model file")
    run.add_argument("model", metavar="FILE", help="a Python file that defines main(run)")
    run.add_argument("--out", metavar="DIR", required=True, help="the folder for the results")
    run.add_argument("--seed", type=int, default=0, help="from which all random numbers come (0)")
    run.add_argument("--resume", action="store_true", help="go on with the run in DIR, reusing finished stages")
    run.set_defaults(command=_run)

    report = commands.add_parser("report", help="write report.html of a run again and show its figures")
    report.add_argument("folder", metavar="DIR")
    report.set_defaults(command=_report)
    return parser


def _declaration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clean", metavar="NAME", default="x", help="the clean symbol (x)")
    parser.add_argument("--level", metavar="NAME", help="the parameter that is the noise level")


def _kernel(options: argparse.Namespace):
    from .kernel import Kernel
    from .symbolic.grammar import parse_kernel

    return Kernel.from_random(*parse_kernel(options.expression, clean=options.clean, level=options.level))


def _derive(options: argparse.Namespace) -> None:
    from .describe import describe

    kernel = _kernel(options)
    print(describe(kernel))
    if options.write:
        kernel.write(options.write)
        print(f"JAX module written to {options.write}")
    if options.proof:
        _write_proof(kernel, Path(options.proof))


def _write_proof(kernel, path: Path) -> None:
    formats = {".tex": "latex", ".md": "markdown"}
    if path.suffix not in formats:
        raise ParameterError(
            given=f"--proof {path}", expected="a name that ends with .tex or .md", fix=f"--proof {path.stem}.tex"
        )
    text = kernel.proof(formats[path.suffix])
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise RunError(
            given=f"{path}, which cannot be written: {error.strerror}",
            expected="a file in a folder that exists",
            fix="pass another path",
        ) from error
    print(f"Proof written to {path}")


def _check(options: argparse.Namespace) -> None:
    print(_kernel(options).check())


def _run(options: argparse.Namespace) -> None:
    from .runs import run_file

    run_file(options.model, options.out, seed=options.seed, resume=options.resume)


def _report(options: argparse.Namespace) -> None:
    from .run_report import write_report

    print(write_report(options.folder))


if __name__ == "__main__":
    sys.exit(main())
