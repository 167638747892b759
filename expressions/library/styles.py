"""Style factors: characteristics of stocks that are known to explain differences in returns.

Each style has the direction in which its source found higher returns: 1 where high values earned more, -1 where low
values did. Sources are often old and about other markets, so the direction is a starting point. Where a source uses
months, a month is 21 bars and a year 252. Windows of 63 bars or more need only two thirds of their values, so that one
missing print does not make a symbol missing for a year; shorter ones need all of them. The market return is the
equal-weighted mean of all symbols, `cs_mean(returns)`.
"""

from __future__ import annotations

import math
from typing import Literal

from factorloom.expressions.column import close, high, low, open_, returns, volume
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.library import Entry, Library
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
    where,
)

__all__ = ["styles"]

YEAR, MOST_OF_YEAR = 252, 168
QUARTER, MOST_OF_QUARTER = 63, 42
MONTH = 21


def styles() -> Library:
    """Style factors from the literature, each with its source and the direction found there.

    Reads `open high low close volume`; and `market_cap`, `book_to_price`, `earnings_yield`, `sales_to_price`,
    `cash_flow_to_price`, `dividend_yield`, `return_on_equity`, `gross_profitability`, `accruals`, `asset_growth` and
    `debt_to_equity` for the factors that need them. The longest lookback is three years of bars.

    Examples
    --------
    >>> import factorloom as fl
    >>> styles = fl.library.styles()
    >>> print(styles["momentum_12_1"])
    ts_delay(close, 21) / ts_delay(close, 252) - 1
    >>> styles.entries["momentum_12_1"].direction
    1
    >>> styles.lacking(["open", "high", "low", "close", "volume", "book_to_price"])["size"]
    ('market_cap',)
    """
    entries = {**_momentum(), **_reversal(), **_risk(), **_liquidity(), **_fundamental()}
    return Library("styles", "Style factors", "the papers named below", entries, about=__doc__ or "")


def _style(factor: Factor, direction: Literal[-1, 1], family: str, meaning: str, source: str) -> Entry:
    return Entry(factor, meaning=meaning, source=source, family=family, direction=direction)


def _momentum() -> dict[str, Entry]:
    return {
        "momentum_12_1": _style(
            ts_delay(close, MONTH) / ts_delay(close, YEAR) - 1,
            1,
            "momentum",
            "the return of the last year without its last month",
            "Jegadeesh & Titman (1993), Journal of Finance 48(1)",
        ),
        "momentum_6_1": _style(
            ts_delay(close, MONTH) / ts_delay(close, 126) - 1,
            1,
            "momentum",
            "the return of the last half-year without its last month",
            "Jegadeesh & Titman (1993), Journal of Finance 48(1)",
        ),
        "high_52w": _style(
            close / ts_max(high, YEAR, min_samples=MOST_OF_YEAR),
            1,
            "momentum",
            "nearness to the highest price of the year",
            "George & Hwang (2004), Journal of Finance 59(5)",
        ),
        "seasonality": _style(
            ts_delay(close, YEAR - MONTH) / ts_delay(close, YEAR) - 1,
            1,
            "momentum",
            "the return of the same month a year ago",
            "Heston & Sadka (2008), Journal of Financial Economics 87(2)",
        ),
        "moving_average_distance": _style(
            ts_mean(close, MONTH) / ts_mean(close, 200, min_samples=134) - 1,
            1,
            "momentum",
            "the short moving average relative to the long one",
            "Avramov, Kaplanski & Subrahmanyam (2021), Review of Financial Economics 39(2)",
        ),
    }


def _reversal() -> dict[str, Entry]:
    rises_overnight = open_ > ts_delay(close, 1)
    return {
        "reversal_5d": _style(
            ts_pct_change(close, 5),
            -1,
            "reversal",
            "the return of the last week",
            "Lehmann (1990), Quarterly Journal of Economics 105(1)",
        ),
        "reversal_21d": _style(
            ts_pct_change(close, MONTH),
            -1,
            "reversal",
            "the return of the last month",
            "Jegadeesh (1990), Journal of Finance 45(3)",
        ),
        "reversal_36_12": _style(
            ts_delay(close, YEAR) / ts_delay(close, 3 * YEAR) - 1,
            -1,
            "reversal",
            "the return of the two years before the last one",
            "De Bondt & Thaler (1985), Journal of Finance 40(3)",
        ),
        "overnight_tug_of_war": _style(
            ts_sum(rises_overnight & (close < open_), MONTH),
            1,
            "reversal",
            "the days of the month that rose overnight and fell in the session",
            "Akbas, Boehmer, Jiang & Koch (2022), Journal of Financial Economics 145(3)",
        ),
    }


def _risk() -> dict[str, Entry]:
    market = cs_mean(returns)
    usual = ts_mean(market, YEAR, min_samples=MOST_OF_YEAR)
    unexplained = sqrt(1 - ts_corr(returns, market, MONTH) ** 2)
    return {
        "volatility_20d": _style(
            ts_std(returns, 20),
            -1,
            "risk",
            "the standard deviation of a month's returns",
            "Ang, Hodrick, Xing & Zhang (2006), Journal of Finance 61(1)",
        ),
        "volatility_252d": _style(
            ts_std(returns, YEAR, min_samples=MOST_OF_YEAR),
            -1,
            "risk",
            "the standard deviation of a year's returns",
            "Blitz & van Vliet (2007), Journal of Portfolio Management 34(1)",
        ),
        "parkinson_volatility_21d": _style(
            sqrt(ts_mean(log(high / low) ** 2, MONTH) / (4 * math.log(2))),
            -1,
            "risk",
            "volatility from the range between high and low",
            "Parkinson (1980), Journal of Business 53(1); direction as volatility_252d",
        ),
        "idiosyncratic_volatility": _style(
            ts_std(returns, MONTH) * unexplained,
            -1,
            "risk",
            "the volatility of a month's returns that the market does not explain",
            "Ang, Hodrick, Xing & Zhang (2006), Journal of Finance 61(1); one factor instead of three",
        ),
        "beta_252": _style(
            ts_beta(returns, market, YEAR, min_samples=MOST_OF_YEAR),
            -1,
            "risk",
            "the slope of a year's returns on the market's",
            "Frazzini & Pedersen (2014), Journal of Financial Economics 111(1)",
        ),
        "downside_beta_252": _style(
            ts_beta(where(market < usual, returns), market, YEAR, min_samples=QUARTER),
            1,
            "risk",
            "the slope of a year's returns on the market's, on days on which the market was below its mean of the year",
            "Ang, Chen & Xing (2006), Review of Financial Studies 19(4)",
        ),
        "max_return_21d": _style(
            ts_max(returns, MONTH),
            -1,
            "risk",
            "the best day of the month: a preference for lotteries",
            "Bali, Cakici & Whitelaw (2011), Journal of Financial Economics 99(2)",
        ),
        "skewness_63d": _style(
            ts_skew(returns, QUARTER, min_samples=MOST_OF_QUARTER),
            -1,
            "risk",
            "the skewness of a quarter's returns",
            "Amaya, Christoffersen, Jacobs & Vasquez (2015), Journal of Financial Economics 118(1)",
        ),
    }


def _liquidity() -> dict[str, Entry]:
    dollars = close * volume
    return {
        "amihud_illiquidity": _style(
            log(ts_mean(abs(returns) / dollars, MONTH)),
            1,
            "liquidity",
            "the price move per unit of money traded, as a logarithm",
            "Amihud (2002), Journal of Financial Markets 5(1)",
        ),
        "dollar_volume": _style(
            log(ts_mean(dollars, MONTH)),
            -1,
            "liquidity",
            "the money traded per day, as a logarithm",
            "Brennan, Chordia & Subrahmanyam (1998), Journal of Financial Economics 49(3)",
        ),
        "dollar_volume_variability": _style(
            ts_std(dollars, YEAR, min_samples=MOST_OF_YEAR) / ts_mean(dollars, YEAR, min_samples=MOST_OF_YEAR),
            -1,
            "liquidity",
            "the standard deviation of the money traded in a year, divided by its mean",
            "Chordia, Subrahmanyam & Anshuman (2001), Journal of Financial Economics 59(1)",
        ),
        "zero_volume_days": _style(
            ts_mean(volume == 0, YEAR, min_samples=MOST_OF_YEAR),
            1,
            "liquidity",
            "the share of days without trade in a year",
            "Liu (2006), Journal of Financial Economics 82(3)",
        ),
        "abnormal_volume": _style(
            ts_mean(volume, 5) / ts_mean(volume, 50) - 1,
            1,
            "liquidity",
            "the volume of the last week relative to that of ten weeks",
            "Gervais, Kaniel & Mingelgrin (2001), Journal of Finance 56(3)",
        ),
        "turnover": _style(
            ts_mean(dollars / col("market_cap"), MONTH),
            -1,
            "liquidity",
            "the share of the company traded per day",
            "Datar, Naik & Radcliffe (1998), Journal of Financial Markets 1(2)",
        ),
    }


def _fundamental() -> dict[str, Entry]:
    characteristics: dict[str, tuple[Literal[-1, 1], str, str, str]] = {
        "book_to_price": (1, "value", "book value over price", "Fama & French (1992), Journal of Finance 47(2)"),
        "earnings_yield": (1, "value", "earnings over price", "Basu (1977), Journal of Finance 32(3)"),
        "sales_to_price": (
            1,
            "value",
            "sales over price",
            "Barbee, Mukherji & Raines (1996), Financial Analysts Journal 52(2)",
        ),
        "cash_flow_to_price": (
            1,
            "value",
            "cash flow over price",
            "Lakonishok, Shleifer & Vishny (1994), Journal of Finance 49(5)",
        ),
        "dividend_yield": (
            1,
            "value",
            "dividends over price",
            "Litzenberger & Ramaswamy (1979), Journal of Financial Economics 7(2)",
        ),
        "return_on_equity": (
            1,
            "quality",
            "earnings over book value",
            "Hou, Xue & Zhang (2015), Review of Financial Studies 28(3)",
        ),
        "gross_profitability": (
            1,
            "quality",
            "revenue less the cost of goods, over assets",
            "Novy-Marx (2013), Journal of Financial Economics 108(1)",
        ),
        "accruals": (
            -1,
            "quality",
            "the part of earnings that is not cash, over assets",
            "Sloan (1996), The Accounting Review 71(3)",
        ),
        "asset_growth": (
            -1,
            "quality",
            "the growth of assets over a year",
            "Cooper, Gulen & Schill (2008), Journal of Finance 63(4)",
        ),
        "debt_to_equity": (
            1,
            "quality",
            "debt over the market value of equity",
            "Bhandari (1988), Journal of Finance 43(2)",
        ),
    }
    size = _style(
        log(col("market_cap")),
        -1,
        "size",
        "the value of the company, as a logarithm",
        "Banz (1981), Journal of Financial Economics 9(1)",
    )
    return {"size": size, **{name: _style(col(name), *rest) for name, rest in characteristics.items()}}
