"""Formulas of spectral indices: text that is parsed once, computed on arrays, and differentiated.

Formulas stand in our own table, and even so nothing is ever evaluated as Python: a formula has numbers, names of bands
and + - * / **, and anything else is refused when it is parsed.
"""

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seq2seq.sequence import Bool, Float32

# A sum of reflectances or a ratio below it says nothing: noise decides.
SMALLEST_DIVISOR = 1e-3
# Of the complex step, which subtracts nothing: the smaller, the more exact.
_STEP = 1e-20

_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
}


@lru_cache
def parse(formula: str) -> ast.expr:
    """Parses `formula`. Raises ValueError for anything but numbers, names, + - * / ** and brackets."""
    tree = ast.parse(formula, mode="eval").body
    allowed = (*_OPERATIONS, ast.Div, ast.Pow, ast.USub, ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Constant)
    for node in ast.walk(tree):
        number = not isinstance(node, ast.Constant) or type(node.value) in (int, float)
        if not isinstance(node, allowed) or not number:
            raise ValueError(f"formula {formula!r} holds {ast.unparse(node) or type(node).__name__!r}")
    return tree


def names_in(formula: str) -> tuple[str, ...]:
    """Returns the names of the bands in `formula`, in the order in which they appear."""
    found = (node for node in ast.walk(parse(formula)) if isinstance(node, ast.Name))
    return tuple(dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset)))


def with_names(formula: str, names: Mapping[str, str]) -> str:
    """Writes `formula` with other names for its bands."""

    class Renamed(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            return ast.Name(names.get(node.id, node.id), node.ctx)

    return ast.unparse(Renamed().visit(ast.parse(formula, mode="eval")))


def compute(formula: str, bands: Mapping[str, "Float32"], sigmas: Mapping[str, "Float32"]) -> "NDArray[Any]":
    """Computes (2, h, w): the formula's value, and its standard deviation to first order.

    bands, sigmas: (h, w) by the names in the formula. sigma^2 = sum over bands of (d value / d band)^2 sigma_band^2:
    errors of bands are taken as independent. Derivatives come from complex steps, Im f(x + ih) / h (Squire and Trapp
    1998), which are exact to the last digits. NaN where a divisor is smaller than `SMALLEST_DIVISOR`, or a root is
    taken of what is negative.
    """
    import numpy as np

    names = names_in(formula)
    undefined: Bool = np.zeros(bands[names[0]].shape, dtype=bool)
    value, variance = undefined.astype(float), undefined.astype(float)
    with np.errstate(all="ignore"):
        for stepped in names:
            shifted = {name: bands[name].astype(complex) + (1j * _STEP if name == stepped else 0) for name in names}
            found = _evaluate(parse(formula), shifted, undefined)
            value = found.real
            variance = variance + (found.imag / _STEP * sigmas[stepped]) ** 2
    undefined |= ~(np.isfinite(value) & np.isfinite(variance))
    return np.where(undefined, np.nan, np.stack([value, np.sqrt(variance)]))


def _evaluate(node: ast.expr, bands: Mapping[str, Any], undefined: "Bool") -> Any:
    """Marks in `undefined` where the value has no meaning."""
    import numpy as np

    match node:
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            return bands[name]
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, bands, undefined)
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _evaluate(left, bands, undefined), _evaluate(right, bands, undefined)
            if isinstance(op, ast.Div):
                undefined |= np.abs(np.real(other)) < SMALLEST_DIVISOR
                return one / other
            if isinstance(op, ast.Pow):
                if np.real(other) % 1:
                    undefined |= np.real(one) < 0
                return one**other
            return _OPERATIONS[type(op)](one, other)
    raise AssertionError(ast.dump(node))
