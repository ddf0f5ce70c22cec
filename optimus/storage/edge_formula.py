"""Formulas of the REST models as expressions of the embedded engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models

from optimus.storage.edge_convert import to_condition, to_geo_point
from optimus.storage.validation import validate_payload

_Expression = edge.Expression


def to_formula(rest: models.FormulaQuery) -> edge.Formula:
    """Convert a formula.

    Give a default for every payload field in it: the engine fails on a point without the field, and what it then says
    does not tell why. Scores of absent prefetches count as 0 by themselves.
    """
    defaults = {name: validate_payload({"value": value})["value"] for name, value in (rest.defaults or {}).items()}
    return edge.Formula(to_expression(rest.formula), defaults)


def to_expression(rest: Any) -> edge.Expression:
    """Convert one expression with everything in it; a filter condition counts as 1 or 0."""
    if isinstance(rest, str):
        return _Expression.Variable(rest)
    if isinstance(rest, int | float):
        return _Expression.Constant(float(rest))
    convert = _EXPRESSIONS.get(type(rest))
    return convert(rest) if convert else _Expression.Condition(to_condition(rest))


def _all(rest: list[Any]) -> list[edge.Expression]:
    return [to_expression(item) for item in rest]


def _divide(rest: models.DivExpression) -> edge.Expression:
    return _Expression.Div(to_expression(rest.div.left), to_expression(rest.div.right), rest.div.by_zero_default)


def _power(rest: models.PowExpression) -> edge.Expression:
    return _Expression.Pow(to_expression(rest.pow.base), to_expression(rest.pow.exponent))


def _distance(rest: models.GeoDistance) -> edge.Expression:
    return _Expression.GeoDistance(to_geo_point(rest.geo_distance.origin), rest.geo_distance.to)


def _decay(kind: edge.DecayKind, rest: models.DecayParamsExpression) -> edge.Expression:
    target = to_expression(rest.target) if rest.target is not None else None
    return _Expression.Decay(kind, to_expression(rest.x), target=target, midpoint=rest.midpoint, scale=rest.scale)


_EXPRESSIONS: dict[type[Any], Callable[[Any], edge.Expression]] = {
    models.MultExpression: lambda rest: _Expression.Mult(_all(rest.mult)),
    models.SumExpression: lambda rest: _Expression.Sum(_all(rest.sum)),
    models.MaxExpression: lambda rest: _Expression.Max(_all(rest.max)),
    models.MinExpression: lambda rest: _Expression.Min(_all(rest.min)),
    models.NegExpression: lambda rest: _Expression.Neg(to_expression(rest.neg)),
    models.AbsExpression: lambda rest: _Expression.Abs(to_expression(rest.abs)),
    models.SqrtExpression: lambda rest: _Expression.Sqrt(to_expression(rest.sqrt)),
    models.ExpExpression: lambda rest: _Expression.Exp(to_expression(rest.exp)),
    models.Log10Expression: lambda rest: _Expression.Log10(to_expression(rest.log10)),
    models.LnExpression: lambda rest: _Expression.Ln(to_expression(rest.ln)),
    models.AcoshExpression: lambda rest: _Expression.Acosh(to_expression(rest.acosh)),
    models.DivExpression: _divide,
    models.PowExpression: _power,
    models.GeoDistance: _distance,
    models.DatetimeExpression: lambda rest: _Expression.Datetime(rest.datetime),
    models.DatetimeKeyExpression: lambda rest: _Expression.DatetimeKey(rest.datetime_key),
    models.LinDecayExpression: lambda rest: _decay(edge.DecayKind.Lin, rest.lin_decay),
    models.ExpDecayExpression: lambda rest: _decay(edge.DecayKind.Exp, rest.exp_decay),
    models.GaussDecayExpression: lambda rest: _decay(edge.DecayKind.Gauss, rest.gauss_decay),
}
