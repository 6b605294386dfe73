"""Reads formulas as a person does: "x squared", "1 over 2". LaTeX's common commands; the rest by their names."""

from __future__ import annotations

import re

_WORDS = {
    "times": "times", "cdot": "times", "ast": "times", "div": "divided by", "pm": "plus or minus", "mp": "minus or plus",
    "leq": "is at most", "le": "is at most", "geq": "is at least", "ge": "is at least", "neq": "is not", "ne": "is not",
    "approx": "is about", "sim": "is about", "equiv": "is equivalent to", "propto": "is proportional to", "to": "to",
    "rightarrow": "to", "Rightarrow": "implies", "implies": "implies", "iff": "if and only if", "infty": "infinity",
    "sum": "the sum of", "prod": "the product of", "int": "the integral of", "lim": "the limit of", "partial": "d",
    "in": "in", "notin": "not in", "subset": "is a subset of", "cup": "union", "cap": "intersection", "forall": "for all",
    "exists": "there is", "emptyset": "the empty set", "degree": "degrees", "circ": "degrees", "ldots": "and so on",
    "dots": "and so on", "cdots": "and so on", "sin": "sine of", "cos": "cosine of", "tan": "tangent of", "log": "log",
    "ln": "log", "exp": "exp", "alpha": "alpha", "beta": "beta", "gamma": "gamma", "delta": "delta", "Delta": "delta",
    "epsilon": "epsilon", "varepsilon": "epsilon", "zeta": "zeta", "eta": "eta", "theta": "theta", "lambda": "lambda",
    "mu": "mu", "nu": "nu", "xi": "xi", "pi": "pi", "rho": "rho", "sigma": "sigma", "Sigma": "sigma", "tau": "tau",
    "phi": "phi", "varphi": "phi", "chi": "chi", "psi": "psi", "omega": "omega", "Omega": "omega", "nabla": "nabla",
    "percent": "percent", "quad": "", "qquad": "", "left": "", "right": "", "displaystyle": "", "big": "", "Big": "",
}  # fmt: skip
_SIGNS = {"=": "equals", "+": "plus", "*": "times", "/": "over", "<": "is less than", ">": "is more than"}
_KEPT = ("text", "mathrm", "mathbf", "mathbb", "mathcal", "mathit", "operatorname", "boxed", "textbf", "textit")
_SHAPED = {*_KEPT, "frac", "dfrac", "tfrac", "sqrt", "begin", "end"}
_NESTED = 6
_INNER = re.compile(
    r"\\(?P<frac>[dt]?frac)\s?\{(?P<upper>[^{}]*+)\}\s?\{(?P<lower>[^{}]*+)\}"
    r"|\\sqrt\s?\{(?P<root>[^{}]*+)\}"
    rf"|\\(?:{'|'.join(_KEPT)})\s?\{{(?P<kept>[^{{}}]*+)\}}|\\(?:begin|end)\{{[^{{}}]*+\}}"
    r"|\^(?:\{(?P<power>[^{}]*+)\}|(?P<exponent>-?\w))"
    r"|_(?:\{(?P<index>[^{}]*+)\}|(?P<lowered>\w))"
)
_COMMAND = re.compile(r"\\([a-zA-Z]++)")
_POWERS = {"2": "squared", "3": "cubed"}


def is_known(command: str) -> bool:
    """Whether a word after a backslash is one of LaTeX's, and not a folder or a name."""
    return command in _WORDS or command in _SHAPED


def words(formula: str) -> str:
    """A formula, without the signs around it, as it is read."""
    for _ in range(_NESTED):
        read = _INNER.sub(_shape, formula)
        if read == formula:
            break
        formula = read
    formula = _COMMAND.sub(lambda found: f" {_WORDS.get(found[1], found[1])} ", formula)
    formula = re.sub(r"\\.", " ", formula)
    formula = re.sub(r"[=+*/<>]", lambda found: f" {_SIGNS[found[0]]} ", formula)
    formula = re.sub(r"(?<=[\w)])\s?-\s?(?=[\w(])", " minus ", formula)
    return " ".join(re.sub(r"[{}&^_$\\]", " ", formula).split())


def power(exponent: str) -> str:
    """What a raised number or letter is called."""
    return f" {_POWERS[exponent]}" if exponent in _POWERS else f" to the power of {exponent}"


def _shape(found: re.Match[str]) -> str:
    if found["frac"]:
        return f" {found['upper']} over {found['lower']} "
    if found["root"] is not None:
        return f" the square root of {found['root']} "
    raised = found["power"] or found["exponent"]
    if raised:
        return f"{power(raised.strip())} "
    return f" {found['kept'] or found['index'] or found['lowered'] or ''} "
