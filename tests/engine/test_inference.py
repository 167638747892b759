"""Statistics of series: statsmodels, scipy and plain loops say the same; what cannot be known is missing."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import statsmodels.api as sm
    from statsmodels.stats.multitest import multipletests

from factorloom.engine.research import inference, performance
from factorloom.engine.research.series import automatic_lags
from factorloom.expressions.errors import ArgumentError, FactorloomError, ParameterError

Array = npt.NDArray[np.float64]
EXACT = 1e-12


def close(found: Any, expected: Any, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@st.composite
def series(draw: st.DrawFn, smallest: int = 5, largest: int = 60) -> Array:
    """Correlated values with gaps, some of them far from zero."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(smallest, largest))
    values = np.convolve(rng.normal(size=count + 3), [1, 0.6, 0.3, 0.1], "valid") * draw(st.sampled_from([0.01, 1.0]))
    values = values + draw(st.sampled_from([0.0, 0.02, 3.0]))
    values[rng.random(count) < draw(st.sampled_from([0.0, 0.1, 0.3]))] = np.nan
    return values


# --- the mean --------------------------------------------------------------------------------------------------


@given(series(), st.integers(0, 12))
def test_newey_west_is_least_squares_on_a_constant(values: Array, lags: int) -> None:
    present = values[np.isfinite(values)]
    found = inference.newey_west(values, lags)
    if len(present) < max(3, lags + 2):
        assert np.isnan(found.se) and np.isnan(found.t) and np.isnan(found.p)
        return
    fit = sm.OLS(present, np.ones(len(present))).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}, use_t=False
    )
    close(found.mean, fit.params[0])
    close(found.se, fit.bse[0])
    close(found.t, fit.tvalues[0])
    close(found.p, fit.pvalues[0])
    assert found.lags == lags


def test_lags_follow_the_rule_and_the_overlap() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(400, 3))
    values[:300, 1] = np.nan
    assert inference.newey_west(values).lags.tolist() == [5, 4, 5]
    assert inference.newey_west(values, horizon=[1, 5, 21]).lags.tolist() == [5, 4, 20]
    assert automatic_lags([0, 1, 100, 2520]).tolist() == [0, 1, 4, 8]


def test_overlap_taken_as_independence_flatters() -> None:
    """Sums of 21 independent returns: the plain t is about sqrt(21) times too large, the other is not."""
    daily = np.random.default_rng(5).normal(size=(2000, 200))
    overlapping = np.apply_along_axis(np.convolve, 0, daily, np.ones(21), "valid")
    plain, honest = (inference.newey_west(overlapping, lags).t for lags in (0, 63))
    assert 4 < np.std(plain) < 5.2
    assert np.std(honest) < 1.4


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=30))
def test_benjamini_hochberg(p: list[float]) -> None:
    found, given_p = inference.benjamini_hochberg(p), np.array(p)
    present = np.isfinite(given_p)
    assert (np.isnan(found) == ~present).all()
    if present.any():
        close(found[present], multipletests(given_p[present], method="fdr_bh")[1])
    both = inference.benjamini_hochberg(np.column_stack([given_p, given_p[::-1]]))
    np.testing.assert_array_equal(both[:, 0], found)


def plain_bootstrap(values: Array, block: int, draws: int, level: float, seed: int) -> list[float]:
    present = [float(x) for x in values if math.isfinite(x)]
    count = len(present)
    uniform = np.random.default_rng(seed).random((-(-count // block), draws))
    means = []
    for row in uniform.T:
        sample = [present[(int(u * count) + step) % count] for u in row for step in range(block)]
        means.append(math.fsum(sample[:count]) / count)
    return [float(np.quantile(means, q)) for q in ((1 - level) / 2, (1 + level) / 2)]


@given(series(smallest=14), st.integers(1, 6), st.sampled_from([0.5, 0.95]), st.integers(0, 9))
def test_block_bootstrap_is_the_plain_loop(values: Array, block: int, level: float, seed: int) -> None:
    found = inference.block_bootstrap(values, block, draws=40, level=level, seed=seed)
    if np.isfinite(values).sum() <= max(2, block):
        assert np.isnan(found).all()
    else:
        close(found, plain_bootstrap(values, block, 40, level, seed))


def test_block_bootstrap_covers_as_it_says() -> None:
    noise = np.random.default_rng(8).normal(size=(502, 400))
    values = noise[2:] + noise[1:-1] + noise[:-2]
    low, high = inference.block_bootstrap(values, 20, draws=300)
    assert 0.88 < ((low < 0) & (high > 0)).mean() < 0.98
    low, high = inference.block_bootstrap(values, 1, draws=300)
    assert ((low < 0) & (high > 0)).mean() < 0.85


def test_blocks_are_as_long_as_the_horizon() -> None:
    values = np.random.default_rng(1).normal(size=90)
    assert inference.block_bootstrap(values) == inference.block_bootstrap(values, 5)
    assert inference.block_bootstrap(values, horizon=21) == inference.block_bootstrap(values, 21)
    low, _ = inference.block_bootstrap(np.column_stack([values, values]), horizon=[1, 21])
    assert low.tolist() == [inference.block_bootstrap(values, block)[0] for block in (5, 21)]
    assert inference.block_bootstrap(values, seed=1) != inference.block_bootstrap(values, seed=2)


# --- lines -----------------------------------------------------------------------------------------------------


@given(series(8), st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_regression_is_that_of_statsmodels(y: Array, lags: int, hac: bool, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0.5, 1, len(y))
    x[::7] = np.nan
    found = inference.regression(y, x, lags, hac=hac)
    both = np.isfinite(y) & np.isfinite(x)
    if both.sum() < max(3, lags + 2):
        assert np.isnan(found.alpha_t)
        return
    how = {"cov_type": "HAC", "cov_kwds": {"maxlags": lags, "use_correction": False}} if hac else {}
    fit = sm.OLS(y[both], sm.add_constant(x[both])).fit(**how)
    close([found.alpha, found.beta, found.r_squared], [*fit.params, fit.rsquared], 1e-10)
    close([found.alpha_t, found.beta_t], fit.tvalues, 1e-9)


# --- returns ---------------------------------------------------------------------------------------------------


@given(series(6), st.integers(1, 500))
def test_sharpe_ratios_and_their_luck(returns: Array, trials: int) -> None:
    r = returns[np.isfinite(returns)]
    if len(r) < 3:
        assert np.isnan(performance.sharpe(returns, 252))
        return
    ratio = np.mean(r) / np.std(r, ddof=1)
    close(performance.sharpe(returns, 252), ratio * math.sqrt(252))
    skew, kurtosis = scipy.stats.skew(r), scipy.stats.kurtosis(r, fisher=False)
    spread = math.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)

    def above(benchmark: float) -> float:
        return float(scipy.stats.norm.cdf((ratio - benchmark) * math.sqrt(len(r) - 1) / spread))

    close(performance.probabilistic_sharpe(returns, 0.05), above(0.05), 1e-11)
    z, e = scipy.stats.norm.ppf, math.e
    best = (1 - np.euler_gamma) * z(1 - 1 / trials) + np.euler_gamma * z(1 - 1 / (trials * e)) if trials > 1 else 0.0
    close(performance.expected_maximum_sharpe(trials, 0.09), 0.3 * best, 1e-11)
    close(performance.deflated_sharpe(returns, trials, 0.09), above(0.3 * best), 1e-11)
    close(performance.deflated_sharpe(returns, trials), above(best / math.sqrt(len(r) - 1)), 1e-11)


def test_the_example_of_the_paper() -> None:
    """Bailey and López de Prado (2014), the numerical example: 0.9004 after 100 trials."""
    best = performance.expected_maximum_sharpe(100, 0.5 / 250)
    spread = math.sqrt(1 + 3 * 2.5 / math.sqrt(250) + (10 - 1) / 4 * 2.5**2 / 250)
    score = (2.5 / math.sqrt(250) - best) * math.sqrt(1249) / spread
    assert round(float(best), 4) == 0.1132
    assert round(float(scipy.stats.norm.cdf(score)), 4) == 0.9004


def test_lags_take_back_what_overlap_flatters() -> None:
    daily = np.random.default_rng(5).normal(0.05, 1, 4000)
    smooth = np.convolve(daily, np.ones(21) / 21, "valid")
    true, flattered, corrected = (
        float(performance.sharpe(x, 252, lags=lags)) for x, lags in ((daily, 0), (smooth, 0), (smooth, 63))
    )
    assert flattered > 4 * true
    assert abs(corrected / true - 1) < 0.25
    found = performance.probabilistic_sharpe(np.column_stack([smooth, smooth]), lags=[0, 63])
    assert found[0] > found[1]


@given(series(), st.floats(1, 300))
def test_annual_drawdown_and_hits(values: Array, per_year: float) -> None:
    returns = values / 20
    r = returns[np.isfinite(returns)]
    found = performance.annual(returns, per_year)
    if len(r) >= 3:
        close(found.mean, np.mean(r) * per_year, 1e-11)
        close(found.volatility, np.std(r, ddof=1) * math.sqrt(per_year), 1e-11)
        growth = math.fsum(math.log1p(x) for x in r) / len(r) * per_year
        close(found.compound, math.expm1(growth), 1e-9)
        assert performance.hit_rate(returns) == np.mean(np.sign(r) == np.sign(np.mean(r)))
    else:
        assert np.isnan([*found, performance.hit_rate(returns)]).all()
    cumulative = np.where(np.isnan(returns), np.nan, np.cumprod(1 + np.nan_to_num(returns)) - 1)
    peak, expected = 1.0, []
    for each in 1 + cumulative:
        peak = max(peak, each) if math.isfinite(each) else peak
        expected.append(each / peak - 1)
    close(performance.drawdown(cumulative), expected)


@given(st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(math.nan)), min_size=3, max_size=12))
def test_monotonicity_is_spearman(means: list[float]) -> None:
    found, given_means = performance.monotonicity(means), np.array(means)
    present = np.isfinite(given_means)
    if present.sum() < 3 or np.ptp(given_means[present]) == 0:
        assert np.isnan(found)
    else:
        close(found, scipy.stats.spearmanr(np.flatnonzero(present), given_means[present]).statistic)


def test_half_life() -> None:
    close(performance.half_life(0.9, 1), math.log(0.5) / math.log(0.9))
    close(performance.half_life([0.5, 0.5, 0.25], [1, 5, 21]), [1, 5, 10.5])
    assert np.isnan(performance.half_life([0.0, 1.0, -0.5, math.nan], 1)).all()


# --- all columns at once, and what cannot be known -----------------------------------------------------------------

STATISTICS: dict[str, Callable[[Any], Any]] = {
    "newey_west": inference.newey_west,
    "block_bootstrap": lambda x: inference.block_bootstrap(x, draws=30),
    "regression": lambda x: inference.regression(x, np.arange(len(x)) % 5.0),
    "annual": lambda x: performance.annual(x, 252),
    "sharpe": lambda x: (performance.sharpe(x, 252), performance.sharpe(x, 252, lags=2)),
    "probabilistic_sharpe": performance.probabilistic_sharpe,
    "deflated_sharpe": lambda x: performance.deflated_sharpe(x, 10),
    "hit_rate": performance.hit_rate,
}
every_statistic = pytest.mark.parametrize("name", STATISTICS)


@every_statistic
@settings(max_examples=20, deadline=None)
@given(st.lists(series(30, 30), min_size=1, max_size=4))
def test_each_column_is_as_alone_and_leading_gaps_change_nothing(name: str, columns: list[Array]) -> None:
    statistic = STATISTICS[name]
    together = np.atleast_2d(np.array(statistic(np.column_stack(columns))))
    alone = np.array([np.atleast_1d(np.array(statistic(column))) for column in columns]).T
    close(together, alone)
    gap = np.full((5, len(columns)), np.nan)
    close(statistic(np.concatenate([gap, np.column_stack(columns)])), statistic(np.column_stack(columns)))


DEGENERATE = {
    "no dates": np.empty(0),
    "one value": np.array([1.0]),
    "two values": np.array([1.0, np.nan, 2.0]),
    "all missing": np.full(9, np.nan),
    "constant": np.full(9, 0.1),
    "constant but for rounding": np.array([0.1, 0.1, 0.1 + 2e-17, np.nextafter(0.1, 1)] * 3),
    "zeros": np.zeros(9),
    "infinite": np.full(9, np.inf),
    "too large": np.array([1e308, -1e308, 1e308, 1.7e308] * 3),
    "too small": np.array([5e-324, 0.0, 5e-324, 0.0] * 3),
    "two signs": np.array([-1.0, 1.0] * 6),
    "ruin": np.array([-1.0, -2.0, 0.5, 0.1]),
}


@every_statistic
@pytest.mark.parametrize("values", DEGENERATE.values(), ids=DEGENERATE)
def test_never_an_infinity(name: str, values: Array) -> None:
    for shaped in (values, values[:, None], np.column_stack([values, values])):
        for found in np.atleast_1d(np.array(STATISTICS[name](shaped), dtype=float)):
            assert not np.isinf(found).any()


@pytest.mark.parametrize("name", ["newey_west", "block_bootstrap", "sharpe", "probabilistic_sharpe", "deflated_sharpe"])
@pytest.mark.parametrize("kind", list(DEGENERATE)[:8])
def test_without_variance_there_is_no_inference(name: str, kind: str) -> None:
    found = STATISTICS[name](DEGENERATE[kind])
    assert np.isnan(np.array(found[1:4] if name == "newey_west" else found)).all()


def test_a_mean_needs_one_value() -> None:
    assert inference.newey_west([math.nan, 2.0]).mean == 2
    assert inference.newey_west(np.full(5, 0.1)).mean == pytest.approx(0.1)
    assert np.isnan(inference.newey_west([math.nan]).mean)


def test_ruin_is_minus_one_and_an_exact_fit_has_no_t() -> None:
    assert performance.annual([0.1, -1.5, 0.2], 252).compound == -1
    line = inference.regression(np.arange(9.0) * 2 + 1, np.arange(9.0), 1)
    assert (float(line.alpha), float(line.beta), float(line.r_squared)) == (1, 2, 1)
    assert np.isnan([line.alpha_t, line.beta_t]).all()


BAD: list[tuple[type[FactorloomError], str, Callable[[], object]]] = [
    (ParameterError, "lags must be a whole number", lambda: inference.newey_west([1.0, 2, 3], -1)),
    (ParameterError, "lags must be a whole number", lambda: inference.newey_west([1.0, 2, 3], 1.5)),
    (ParameterError, "horizon must be a whole number", lambda: inference.newey_west([1.0, 2, 3], horizon=0)),
    (ParameterError, "one for each of 1 series", lambda: inference.newey_west([1.0, 2, 3], [1, 2])),
    (ParameterError, "one for each of 1 series", lambda: inference.block_bootstrap([1.0, 2, 3], horizon=[1, 2])),
    (ArgumentError, "must have the shape", lambda: inference.newey_west(1.0)),
    (ArgumentError, "must have the shape", lambda: performance.sharpe(np.zeros((2, 2, 2)), 252)),
    (ArgumentError, "must be numbers", lambda: performance.hit_rate(["a"])),
    (ArgumentError, "same dates", lambda: inference.regression([1.0, 2, 3], [1.0, 2])),
    (ParameterError, "probabilities from 0 to 1", lambda: inference.benjamini_hochberg([1.1])),
    (ParameterError, "level must be a number between 0 and 1", lambda: inference.block_bootstrap([1.0], level=1)),
    (ParameterError, "draws must be a whole number", lambda: inference.block_bootstrap([1.0], draws=0)),
    (ParameterError, "block must be a whole number", lambda: inference.block_bootstrap([1.0], 0)),
    (ParameterError, "trials must be a whole number", lambda: performance.deflated_sharpe([1.0], 0)),
    (ParameterError, "variance must not be negative", lambda: performance.deflated_sharpe([1.0], 5, -1.0)),
    (ParameterError, "per_year must be a number", lambda: performance.sharpe([1.0], 0)),
    (ParameterError, "lag must be a whole number", lambda: performance.half_life(0.5, 0)),
]


@pytest.mark.parametrize(("kind", "message", "call"), BAD, ids=[f"{each[1]} {n}" for n, each in enumerate(BAD)])
def test_bad_arguments(kind: type[FactorloomError], message: str, call: Callable[[], object]) -> None:
    with pytest.raises(kind, match=message):
        call()
