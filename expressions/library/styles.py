"""Style factors: the known ways in which stocks differ and that returns have been found to follow.

Each style is one factor, the direction in which its source found higher returns, and that source. Where a
source works with months, a month is 21 bars and a year 252. Windows of 63 bars or more are content with two
thirds of their values, so that one missing print does not silence a symbol for a year; shorter ones need them
all. The market return is the equal-weighted mean of all symbols, `cs_mean(returns)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from factorloom.expressions.column import close, high, low, open_, returns, volume
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col
from factorloom.expressions.operators import (
    cs_mean,
    log,
    sqrt,
    ts_beta,
    ts_corr,
    ts_delay,
    ts_max,
    ts_mean,
    ts_pct_change,
    ts_skew,
    ts_std,
    ts_sum,
)

__all__ = ["Style", "styles", "table"]

YEAR, MOST_OF_YEAR = 252, 168
QUARTER, MOST_OF_QUARTER = 63, 42
MONTH = 21


@dataclass(frozen=True, eq=False)
class Style:
    """One style factor.

    Attributes
    ----------
    factor : Factor
    direction : int
        1 where high values earned more, -1 where low values did.
    family : str
        `momentum`, `reversal`, `risk`, `liquidity`, `size`, `value` or `quality`.
    meaning : str
        What the factor measures, in a few words.
    source : str
        The paper that the direction, and as a rule the formula, is taken from.
    """

    factor: Factor
    direction: Literal[-1, 1]
    family: str
    meaning: str
    source: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the factor reads."""
        return self.factor.columns


def styles() -> dict[str, Style]:
    """All style factors by name.

    `market_cap`, `book_to_price`, `earnings_yield` and `return_on_equity` are read as columns; choose by
    `columns` what your bars can give.

    Examples
    --------
    >>> import factorloom as fl
    >>> styles = fl.library.styles()
    >>> print(styles["momentum_12_1"].factor)
    ts_delay(close, 21) / ts_delay(close, 252) - 1
    >>> prices = {"open", "high", "low", "close", "volume"}
    >>> [name for name, style in styles.items() if not prices.issuperset(style.columns)]
    ['turnover', 'size', 'book_to_price', 'earnings_yield', 'return_on_equity']
    """
    return {**_momentum(), **_reversal(), **_risk(), **_liquidity(), **_fundamental()}


def table() -> str:
    """The styles as a Markdown table.

    >>> from factorloom.expressions.library.styles import table
    >>> print(table().splitlines()[0])
    | style | better when | family | formula | measures | source |
    """
    header = ["style", "better when", "family", "formula", "measures", "source"]
    rows = [
        [f"`{name}`", _better(style), style.family, f"`{style.factor}`", style.meaning, style.source]
        for name, style in styles().items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


def _better(style: Style) -> str:
    return "high" if style.direction > 0 else "low"


def _momentum() -> dict[str, Style]:
    return {
        "momentum_12_1": Style(
            ts_delay(close, MONTH) / ts_delay(close, YEAR) - 1,
            1,
            "momentum",
            "the return of the last year but for its last month",
            "Jegadeesh & Titman (1993), Journal of Finance 48(1)",
        ),
        "momentum_6_1": Style(
            ts_delay(close, MONTH) / ts_delay(close, 126) - 1,
            1,
            "momentum",
            "the return of the last half-year but for its last month",
            "Jegadeesh & Titman (1993), Journal of Finance 48(1)",
        ),
        "high_52w": Style(
            close / ts_max(high, YEAR, min_samples=MOST_OF_YEAR),
            1,
            "momentum",
            "nearness to the highest price of the year",
            "George & Hwang (2004), Journal of Finance 59(5)",
        ),
        "moving_average_distance": Style(
            ts_mean(close, MONTH) / ts_mean(close, 200, min_samples=134) - 1,
            1,
            "momentum",
            "the short moving average above the long one",
            "Avramov, Kaplanski & Subrahmanyam (2021), Review of Financial Economics 39(2)",
        ),
    }


def _reversal() -> dict[str, Style]:
    rises_overnight = open_ > ts_delay(close, 1)
    return {
        "reversal_5d": Style(
            ts_pct_change(close, 5),
            -1,
            "reversal",
            "the return of the last week",
            "Lehmann (1990), Quarterly Journal of Economics 105(1)",
        ),
        "reversal_21d": Style(
            ts_pct_change(close, MONTH),
            -1,
            "reversal",
            "the return of the last month",
            "Jegadeesh (1990), Journal of Finance 45(3)",
        ),
        "overnight_tug_of_war": Style(
            ts_sum(rises_overnight & (close < open_), MONTH),
            1,
            "reversal",
            "the days of the month that rose overnight and fell in the session",
            "Akbas, Boehmer, Jiang & Koch (2022), Journal of Financial Economics 145(3)",
        ),
    }


def _risk() -> dict[str, Style]:
    market = cs_mean(returns)
    unexplained = sqrt(1 - ts_corr(returns, market, MONTH) ** 2)
    return {
        "volatility_20d": Style(
            ts_std(returns, 20),
            -1,
            "risk",
            "the standard deviation of a month's returns",
            "Ang, Hodrick, Xing & Zhang (2006), Journal of Finance 61(1)",
        ),
        "volatility_252d": Style(
            ts_std(returns, YEAR, min_samples=MOST_OF_YEAR),
            -1,
            "risk",
            "the standard deviation of a year's returns",
            "Blitz & van Vliet (2007), Journal of Portfolio Management 34(1)",
        ),
        "parkinson_volatility_21d": Style(
            sqrt(ts_mean(log(high / low) ** 2, MONTH) / (4 * math.log(2))),
            -1,
            "risk",
            "volatility from the range between high and low",
            "Parkinson (1980), Journal of Business 53(1); direction as volatility_252d",
        ),
        "idiosyncratic_volatility": Style(
            ts_std(returns, MONTH) * unexplained,
            -1,
            "risk",
            "the volatility of a month's returns that the market does not explain",
            "Ang, Hodrick, Xing & Zhang (2006), Journal of Finance 61(1); one factor instead of three",
        ),
        "beta_252": Style(
            ts_beta(returns, market, YEAR, min_samples=MOST_OF_YEAR),
            -1,
            "risk",
            "the slope of a year's returns on the market's",
            "Frazzini & Pedersen (2014), Journal of Financial Economics 111(1)",
        ),
        "max_return_21d": Style(
            ts_max(returns, MONTH),
            -1,
            "risk",
            "the best day of the month: a taste for lotteries",
            "Bali, Cakici & Whitelaw (2011), Journal of Financial Economics 99(2)",
        ),
        "skewness_63d": Style(
            ts_skew(returns, QUARTER, min_samples=MOST_OF_QUARTER),
            -1,
            "risk",
            "the skewness of a quarter's returns",
            "Amaya, Christoffersen, Jacobs & Vasquez (2015), Journal of Financial Economics 118(1)",
        ),
    }


def _liquidity() -> dict[str, Style]:
    dollars = close * volume
    return {
        "amihud_illiquidity": Style(
            log(ts_mean(abs(returns) / dollars, MONTH)),
            1,
            "liquidity",
            "how far a unit of money traded moves the price, as a logarithm",
            "Amihud (2002), Journal of Financial Markets 5(1)",
        ),
        "dollar_volume": Style(
            log(ts_mean(dollars, MONTH)),
            -1,
            "liquidity",
            "the money traded a day, as a logarithm",
            "Brennan, Chordia & Subrahmanyam (1998), Journal of Financial Economics 49(3)",
        ),
        "abnormal_volume": Style(
            ts_mean(volume, 5) / ts_mean(volume, 50) - 1,
            1,
            "liquidity",
            "the volume of the last week above that of ten weeks",
            "Gervais, Kaniel & Mingelgrin (2001), Journal of Finance 56(3)",
        ),
        "turnover": Style(
            ts_mean(dollars / col("market_cap"), MONTH),
            -1,
            "liquidity",
            "the share of the company that changes hands a day",
            "Datar, Naik & Radcliffe (1998), Journal of Financial Markets 1(2)",
        ),
    }


def _fundamental() -> dict[str, Style]:
    return {
        "size": Style(
            log(col("market_cap")),
            -1,
            "size",
            "the value of the company, as a logarithm",
            "Banz (1981), Journal of Financial Economics 9(1)",
        ),
        "book_to_price": Style(
            col("book_to_price"),
            1,
            "value",
            "book value over price",
            "Fama & French (1992), Journal of Finance 47(2)",
        ),
        "earnings_yield": Style(
            col("earnings_yield"),
            1,
            "value",
            "earnings over price",
            "Basu (1977), Journal of Finance 32(3)",
        ),
        "return_on_equity": Style(
            col("return_on_equity"),
            1,
            "quality",
            "earnings over book value",
            "Hou, Xue & Zhang (2015), Review of Financial Studies 28(3)",
        ),
    }
