"""From sums over the dates of a window to weights of factors."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.fit.moment import Moments
from factorloom.engine.research.fit.rule import Fit
from factorloom.engine.research.fit.window import folds
from factorloom.expressions.errors import MissingLibraryError

__all__ = ["best_alpha", "by_ic", "regression"]

DEPENDENT = 1e-12
"""Directions of factors whose share in their sum of squares is below this are left out."""
TOLERANCE, MOST_STEPS = 1e-14, 1_000_000


def by_ic(ics: Array, rule: Fit) -> Array:
    """Mean IC of each factor, or mean over standard deviation; 0 without ICs, or where they never vary."""
    count = (~np.isnan(ics)).sum(axis=0)
    mean = np.nansum(ics, axis=0) / np.maximum(count, 1)
    if rule.method == "icir":
        away = np.nansum((ics - mean) ** 2, axis=0) / np.maximum(count - 1, 1)
        mean = np.divide(mean, np.sqrt(away), out=np.zeros_like(mean), where=away > DEPENDENT)
    result: Array = np.maximum(mean, 0.0) if rule.positive else mean
    return result


def best_alpha(window: Moments, rule: Fit, embargo: int | None) -> float:
    """The penalty with the smallest squared error on what each fold leaves out; the larger of equal ones."""
    alphas = sorted(rule.alphas, reverse=True)
    if len(alphas) == 1:
        return alphas[0]
    errors = np.zeros(len(alphas))
    for tested, trained in folds(len(window.rows), rule, embargo):
        left, out = window.of(trained), window.of([tested])
        if not left.rows.sum() or not out.rows.sum():
            continue
        gram, cross, square = out.gram.sum(axis=0), out.cross.sum(axis=0), out.square.sum()
        for place, alpha in enumerate(alphas):
            w = regression(left, rule, alpha)
            errors[place] += square - 2 * w @ cross + w @ gram @ w
    return alphas[int(np.argmin(errors))]


def regression(window: Moments, rule: Fit, alpha: float) -> Array:
    """The coefficients w that minimise `|y - Xw|^2 / 2n + alpha * penalty(w)`.

    The penalty is `|w|^2 / 2`, or `l1_ratio |w|_1 + (1 - l1_ratio) |w|^2 / 2`. X and y enter by their products alone:
    with `X'X = V L V'`, the matrix `L^(1/2) V'` has the same ones.
    """
    rows = max(int(window.rows.sum()), 1)
    gram, cross = window.gram.sum(axis=0) / rows, window.cross.sum(axis=0) / rows
    if rule.method == "ridge" and not rule.positive:
        solved: Array = np.linalg.solve(gram + alpha * np.eye(len(gram)), cross)
        return solved
    values, vectors = np.linalg.eigh(gram)
    kept = values > DEPENDENT * max(values[-1], 0.0)
    if not kept.any():
        return np.zeros(len(gram))
    root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    target = (vectors[:, kept].T @ cross) / np.sqrt(values[kept])
    if rule.method == "ridge":
        nnls = _learn("scipy.optimize").nnls
        penalised = np.vstack([root, np.sqrt(alpha) * np.eye(len(gram))])
        return np.asarray(nnls(penalised, np.concatenate([target, np.zeros(len(gram))]))[0])
    return _elastic_net(root, target, rule, alpha)


def _elastic_net(root: Array, target: Array, rule: Fit, alpha: float) -> Array:
    scale = np.sqrt(len(root))  # scikit-learn divides by the rows
    net = _learn("sklearn.linear_model").ElasticNet(
        alpha=alpha,
        l1_ratio=rule.l1_ratio,
        fit_intercept=False,
        positive=rule.positive,
        tol=TOLERANCE,
        max_iter=MOST_STEPS,
    )
    return np.asarray(net.fit(root * scale, target * scale).coef_)


def _learn(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingLibraryError("scikit-learn is not installed", hint="pip install 'factorloom[fit]'") from error
