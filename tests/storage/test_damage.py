"""Whatever is damaged on the disk: what is read is what was written, or an error that says so."""

from __future__ import annotations

import itertools
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factorloom.engine.bars.market import simulate
from factorloom.engine.research.model import ScoreFactor, ScoreModel
from factorloom.expressions.errors import StoreError
from factorloom.expressions.parse import parse
from factorloom.storage import calculator, segment
from factorloom.storage import folder as folder_of_a_store
from factorloom.storage.checkup import check_store
from factorloom.storage.keeper import StoreWarning
from factorloom.storage.store import Store, open_store

LONG = settings().max_examples >= 1_000
EXAMPLES, STEP = (1_000, 1) if LONG else (16, 7)
"""Of all pairs of files every seventh is damaged, unless there is time for all."""
BLOCK = segment.BLOCK

KEPT = {"change": parse("close / ts_delay(close, 2) - 1"), "minus": parse("-close")}
NEW = {"mean": parse("ts_mean(close, 3)")}
MODEL = ScoreModel("calm", {"change": ScoreFactor(KEPT["change"]), "size": ScoreFactor(parse("volume"), direction=-1)})

READS: dict[str, Callable[[Store], Any]] = {
    "panel": lambda store: store.panel("demo").frame.cast({"symbol": pl.String}),
    "kept values": lambda store: store.compute("demo", KEPT),
    "a part of them": lambda store: store.compute("demo", KEPT, start="2025-02-03", end="2025-02-05", symbols="S0003"),
    "new values": lambda store: store.compute("demo", NEW),
    "earlier values": lambda store: store.compute("demo", KEPT, as_of=1),
    "bars": lambda store: store.sql("FROM bars.demo ORDER BY symbol, date"),
    "attributes": lambda store: store.sql("FROM attributes.demo ORDER BY symbol"),
    "factors": lambda store: store.sql("FROM factors.demo ORDER BY symbol, date"),
    "factors by another name": lambda store: store.sql("FROM memory.factors.demo__long ORDER BY symbol, date, factor"),
    "scores": lambda store: store.sql("SELECT * EXCLUDE contributions FROM scores.demo ORDER BY symbol"),
    "score": lambda store: store.score("demo", MODEL),
}


class Original(NamedTuple):
    """A whole store, its backup, and what is read of it; files above `whole` bytes have sums beside them."""

    path: Path
    backup: Path
    whole: int
    reads: dict[str, pl.DataFrame]

    def __repr__(self) -> str:
        return f"<store of {'small' if self.whole > 10**6 else 'large'} files>"


@pytest.fixture(autouse=True)
def unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is forced to the disk, which takes long."""
    monkeypatch.setattr(folder_of_a_store, "sync", lambda path: None)


def build(folder: Path, whole: int) -> Original:
    bars = simulate(symbols=40, years=1, seed=3).filter(pl.col("date") <= pl.date(2025, 3, 1))
    number = pl.col("symbol").cast(pl.String).rank("dense").cast(pl.String).str.zfill(4)
    bars = bars.with_columns(symbol=pl.format("S{}", number))
    sectors = bars.select("symbol", "sector").unique("symbol").rename({"sector": "branch"})
    with pytest.MonkeyPatch.context() as patch, open_store(folder / "store") as store:
        patch.setattr(segment, "WHOLE", whole)
        half = bars["date"].median()
        store.load("demo", bars.filter(pl.col("date") <= half), attributes=sectors)
        store.save("demo", KEPT)
        store.load("demo", bars.filter(pl.col("date") > half))
        store.load("demo", bars.head(3).with_columns(close=pl.lit(77.0)))
        store.save("demo", KEPT)
        store.score("demo", MODEL)
        reads = {name: read(store) for name, read in READS.items()}
        store.load("demo", bars.tail(1))  # changes nothing: the last two catalogues say the same
        store.backup(folder / "backup")
    return Original(folder / "store", folder / "backup", whole, reads)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Original]:
    """Stores of small files, and of files that have sums beside them."""
    return [build(tmp_path_factory.mktemp("original"), whole) for whole in (segment.WHOLE, 2_048)]


def flip(data: bytearray, place: int, size: int) -> None:
    data[place] ^= 1 << size % 8


def flip_signs(data: bytearray, place: int, size: int) -> None:
    """The signs of two numbers side by side."""
    first = place // 8 * 8 + 7
    for each in (first, first + 8):
        if each < len(data):
            data[each] ^= 0x80


def zero_page(data: bytearray, place: int, size: int) -> None:
    start = place // BLOCK * BLOCK
    data[start : start + BLOCK] = bytes(len(data[start : start + BLOCK]))


def zero_some(data: bytearray, place: int, size: int) -> None:
    data[place : place + size] = bytes(len(data[place : place + size]))


def repeat(data: bytearray, place: int, size: int) -> None:
    """Some bytes once more, in place of those that follow."""
    some = data[place : place + size]
    data[place + size : place + 2 * size] = some[: len(data[place + size : place + 2 * size])]


def cut(data: bytearray, place: int, size: int) -> None:
    del data[place:]


def lengthen(data: bytearray, place: int, size: int) -> None:
    data += bytes(size)


KINDS = [flip, flip_signs, zero_page, zero_some, repeat, cut, lengthen, None]
DAMAGES = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from(KINDS), st.floats(0, 1, exclude_max=True), st.integers(1, 600)),
    min_size=1,
    max_size=3,
)


def files_of(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and file.name != "LOCK")


def damage(path: Path, damages: list[tuple[int, Any, float, int]]) -> set[str]:
    """Damage files; returns the names of those that are not what they were."""
    files = files_of(path)
    before = {file: file.read_bytes() for file in files}
    for number, kind, share, size in damages:
        file = files[number % len(files)]
        if kind is None or not file.exists():
            file.unlink(missing_ok=True)
            continue
        data = bytearray(file.read_bytes())
        if data:
            kind(data, int(share * len(data)), size)
            file.write_bytes(data)
    changed = {file for file, content in before.items() if not file.exists() or file.read_bytes() != content}
    return {file.relative_to(path).as_posix() for file in changed}


def read_all(path: Path, original: Original, *, read_only: bool) -> Iterator[tuple[str, str]]:
    """Each read and what came of it: the same, or the text of an error; anything else fails."""
    try:
        store = open_store(path, read_only=read_only)
    except StoreError as error:
        yield "open", str(error)
        return
    with store:
        for name, read in READS.items():
            try:
                found = read(store)
            except StoreError as error:
                yield name, str(error)
            else:
                assert found.equals(original.reads[name]), name
                yield name, "the same"


@settings(max_examples=EXAMPLES)
@given(form=st.integers(0, 1), damages=DAMAGES, read_only=st.booleans(), repair=st.sampled_from([False, False, True]))
def test_damage_is_found(
    originals: list[Original],
    tmp_path_factory: pytest.TempPathFactory,
    form: int,
    damages: list[tuple[int, Any, float, int]],
    read_only: bool,
    repair: bool,
) -> None:
    original = originals[form]
    path = tmp_path_factory.mktemp("damaged") / "store"
    shutil.copytree(original.path, path)
    try:
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setattr(segment, "WHOLE", original.whole)
            warnings.simplefilter("ignore", StoreWarning)
            changed = damage(path, damages)
            if repair and not any(each == "CURRENT" or each.startswith("catalog/") for each in changed):
                assert set(check_store(path)["file"]) == segments_of(changed) & in_use(path)
            assert list(read_all(path, original, read_only=read_only))
            if repair and sum(each.startswith("catalog/") for each in changed) < 2:
                check_store(path, repair=True, backup=original.backup)
                assert check_store(path).is_empty()
                with open_store(path) as store:
                    assert store.score("demo", MODEL).equals(original.reads["score"])
                    store.compute("demo", KEPT)
                assert {said for _, said in read_all(path, original, read_only=True)} == {"the same"}
    finally:
        shutil.rmtree(path.parent)


@pytest.mark.parametrize("read_only", [False, True])
def test_each_file_with_one_flipped_bit(
    originals: list[Original], tmp_path_factory: pytest.TempPathFactory, read_only: bool
) -> None:
    for original in originals:
        for number in range(len(files_of(original.path))):
            path = tmp_path_factory.mktemp("damaged") / "store"
            shutil.copytree(original.path, path)
            with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
                patch.setattr(segment, "WHOLE", original.whole)
                warnings.simplefilter("ignore", StoreWarning)
                assert damage(path, [(number, flip, 0.5, 1)])
                assert list(read_all(path, original, read_only=read_only))
            shutil.rmtree(path.parent)


def test_two_damaged_files_of_values(originals: list[Original], tmp_path_factory: pytest.TempPathFactory) -> None:
    """To keep what is computed anew must not fail where another file, which it would be merged with, is damaged."""
    for original in originals:
        numbers = [place for place, file in enumerate(files_of(original.path)) if file.name.startswith("factors-")]
        for pair in itertools.islice(itertools.combinations(numbers, 2), None, None, STEP):
            path = tmp_path_factory.mktemp("damaged") / "store"
            shutil.copytree(original.path, path)
            with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
                patch.setattr(segment, "WHOLE", original.whole)
                warnings.simplefilter("error", StoreWarning)
                assert damage(path, [(number, flip, 0.5, 1) for number in pair])
                assert {said for _, said in read_all(path, original, read_only=False)} == {"the same"}
            shutil.rmtree(path.parent)


@pytest.mark.parametrize("form", [0, 1])
def test_damaged_values_of_damaged_bars(
    originals: list[Original], tmp_path_factory: pytest.TempPathFactory, form: int
) -> None:
    """Values that cannot be computed again stay in the catalogue: SQL says what is damaged, and shows no gaps."""
    original = originals[form]
    named = {
        kind: [place for place, file in enumerate(files_of(original.path)) if file.name.startswith(kind)]
        for kind in ("bars-", "factors-")
    }
    for pair in itertools.islice(itertools.product(*named.values()), form % STEP, None, STEP):
        path = tmp_path_factory.mktemp("damaged") / "store"
        shutil.copytree(original.path, path)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setattr(segment, "WHOLE", original.whole)
            warnings.simplefilter("ignore", StoreWarning)
            assert damage(path, [(number, flip, 0.5, 1) for number in pair])
            assert list(read_all(path, original, read_only=False))
        shutil.rmtree(path.parent)


def test_a_part_that_is_computed_again_leaves_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged file stays until all that SQL shows of it is stored anew."""
    monkeypatch.setattr(calculator, "BLOCK_ROWS", 64)
    with open_store(tmp_path / "store") as store:
        store.load("demo", simulate(symbols=10, years=1, seed=3))
        store.save("demo", KEPT)
        expected = store.sql("FROM factors.demo ORDER BY symbol, date")
        assert store.sql("FROM catalog.cache").height == 1
    (file,) = (tmp_path / "store").rglob("factors-*")
    data = bytearray(file.read_bytes())
    flip(data, len(data) // 2, 1)
    file.write_bytes(data)
    with open_store(tmp_path / "store") as store:
        some = store.compute("demo", KEPT, start="2025-05-05", end="2025-05-09")
        assert some["change"].null_count() == 0
        with pytest.raises(StoreError, match="is damaged"):
            store.sql("FROM factors.demo")
        store.compute("demo", KEPT)
        assert store.sql("FROM factors.demo ORDER BY symbol, date").equals(expected)
        assert not file.name.endswith(tuple(store.sql("SELECT file FROM catalog.cache")["file"]))


def segments_of(changed: set[str]) -> set[str]:
    """The names of damaged segments, also of those whose sums are damaged."""
    return {each.removeprefix("segments/").removesuffix(".sums") for each in changed if each.startswith("segments/")}


def in_use(path: Path) -> set[str]:
    """The segments that the newest catalogue names."""
    with open_store(path, read_only=True) as store:
        rows = store._backing.catalog()
    return {row.file for each in (rows.segments, rows.tables, rows.cache, rows.scores) for row in each}  # type: ignore[attr-defined]
