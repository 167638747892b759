"""What Qlib itself computes for the features of Alpha158 and Alpha360, on any bars.

    python tests/oracles/qlib_values.py BARS.parquet FOLDER

BARS has `symbol, date, open, high, low, close, volume, vwap`, one row per symbol and date. FOLDER gets
`alpha158.parquet` and `alpha360.parquet`: `symbol, date`, and one Float32 column per feature, by symbol and date, as
Qlib gives them: NaN where a value is missing, infinities where it divided by zero.

Needs `pip install pyqlib` (1.4 GB, two minutes), not Factorloom. Tried with pyqlib 0.9.7, pandas 3.1, NumPy 2.4 and
Python 3.11: 16 seconds and 660 MB of memory for 85,000 bars. Nothing is written but FOLDER and a temporary folder.

The features are the texts of `qlib.contrib.data.loader`, read by Qlib's own loader: no processors, no labels. Two
things of Qlib's own format are stepped around. A day that is in the calendar but not in a symbol's life is a row of
NaN in Qlib, which its windows count; so the n-th bar of every symbol is handed over as the n-th day of one made-up
calendar, and windows count a symbol's own bars. File names of symbols are lower-cased; so symbols are handed over by
number. Prices and volumes are stored as Float32.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

FIELDS = ("open", "high", "low", "close", "volume", "vwap")
FIRST_DAY = "1900-01-01"


def read_bars(path: Path) -> pd.DataFrame:
    """The bars by symbol and date, with the number of the symbol and of the bar within it."""
    bars = pd.read_parquet(path, columns=["symbol", "date", *FIELDS])
    bars = bars.sort_values(["symbol", "date"], ignore_index=True)
    if bars.duplicated(["symbol", "date"]).any():
        sys.exit(f"{path}: a symbol has two bars on one date")
    groups = bars.groupby("symbol", sort=True)
    return bars.assign(number=groups.ngroup(), place=groups.cumcount())


def write_store(bars: pd.DataFrame, folder: Path) -> None:
    """The bars in Qlib's format: a calendar, the life of every symbol, one binary file per symbol and field."""
    days = pd.date_range(FIRST_DAY, periods=bars["place"].max() + 1).strftime("%Y-%m-%d")
    for name in ("calendars", "instruments"):
        (folder / name).mkdir()
    (folder / "calendars" / "day.txt").write_text("\n".join(days) + "\n")
    lives = []
    for number, own in bars.groupby("number"):
        lives.append(f"{code(number)}\t{days[0]}\t{days[len(own) - 1]}\n")
        place = folder / "features" / code(number).lower()
        place.mkdir(parents=True)
        for field in FIELDS:
            first_day_then_values = np.concatenate([[0.0], own[field].to_numpy(dtype=float, na_value=np.nan)])
            first_day_then_values.astype("<f4").tofile(place / f"{field}.day.bin")
    (folder / "instruments" / "all.txt").write_text("".join(lives))


def code(number: int) -> str:
    return f"S{number:06}"


def load(bars: pd.DataFrame, loader: type) -> pd.DataFrame:
    """What a loader of Qlib gives, as columns beside the symbols and dates."""
    values = loader(swap_level=False).load("all")["feature"].sort_index()
    assert list(values.index.get_level_values("instrument")) == [code(number) for number in bars["number"]]
    return pd.concat([bars[["symbol", "date"]], values.astype(np.float32).reset_index(drop=True)], axis=1)


def stay_inside(folder: str) -> None:
    """Qlib's logs and its dependency MLflow write to the working folder and to the home: let both be this one."""
    os.chdir(folder)
    os.environ |= {"HOME": folder, "XDG_CONFIG_HOME": folder, "MLFLOW_DISABLE_TELEMETRY": "true"}


def main(path: Path, folder: Path) -> None:
    bars = read_bars(path)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    start = Path.cwd()
    with tempfile.TemporaryDirectory() as temporary:
        stay_inside(temporary)
        write_store(bars, Path(temporary))
        import qlib
        from qlib.contrib.data.loader import Alpha158DL, Alpha360DL

        qlib.init(provider_uri=temporary, region="us", kernels=1, expression_cache=None, dataset_cache=None)
        for name, loader in {"alpha158": Alpha158DL, "alpha360": Alpha360DL}.items():
            load(bars, loader).to_parquet(folder / f"{name}.parquet", index=False)
        os.chdir(start)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tests/oracles/qlib_values.py BARS.parquet FOLDER")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
