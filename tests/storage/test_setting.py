"""Settings of a store in a file of its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import factorloom as fl
from factorloom.expressions.errors import StoreError
from factorloom.storage.store import open_store
from factorloom.storage.tier import CacheLimits


def test_settings_lie_beside_the_data_and_hold_for_all_who_open_the_store(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    folder.mkdir()
    (folder / "settings.toml").write_text('[cache]\nhot = "64 MB"\ncompressed = 0\npersistent = "1 GB"\n')
    with open_store(folder) as store:
        store.load("tiny", fl.example())
        assert store.stats()["limit"].to_list() == [64_000_000, 0, 1_000_000_000]
    with open_store(folder, read_only=True) as store:
        assert store.stats()["limit"][0] == 64_000_000
    with open_store(folder, cache=CacheLimits(hot=1000)) as store:
        assert store.stats()["limit"][0] == 1000


def test_without_settings_the_limits_are_the_usual_ones(tmp_path: Path) -> None:
    with open_store(tmp_path / "market") as store, open_store(":memory:") as other:
        assert store.stats()["limit"].equals(other.stats()["limit"])
    (tmp_path / "market" / "settings.toml").write_text("")
    open_store(tmp_path / "market").close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cache]\nhott = 1\n", r"\$\.cache\.hott: unknown key"),
        ("[cash]\n", r"\$\.cash: unknown key"),
        ("cache = 1\n", r"\$\.cache must be a table"),
        ('[cache]\nhot = "lots"\n', r"\$\.cache: hot must be a size"),
        ("[cache]\nhot = nan\n", r"\$\.cache: hot must be a size"),
        ("[cache]\nhot = false\n", r"\$\.cache: hot must be a size"),
        ("[cache]\npersistent = 0\n", r"\$\.cache: persistent must be a size"),
        ("[cache]\nseconds = nan\n", r"\$\.cache: seconds must be"),
        ("[cache]\nseconds = 0\n", r"\$\.cache: seconds must be"),
        ('[cache]\ndtype = "float16"\n', r"\$\.cache: dtype must be"),
        ("[cache\n", "is not TOML"),
        ("[cache]\nhot = [" * 2, "is not TOML"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    folder = tmp_path / "market"
    open_store(folder).close()
    (folder / "settings.toml").write_text(text)
    with pytest.raises(StoreError, match=message) as caught:
        open_store(folder)
    assert "settings.toml" in caught.value.message
    if "hott" in text:
        assert "hot" in (caught.value.hint or "")


def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    open_store(folder).close()
    (folder / "settings.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="is not TOML"):
        open_store(folder)
    (folder / "settings.toml").unlink()
    (folder / "settings.toml").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        open_store(folder)


def test_a_backup_has_the_settings(tmp_path: Path) -> None:
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "settings.toml").write_text('[cache]\nhot = "64 MB"\n')
    with open_store(tmp_path / "market") as store:
        store.load("tiny", fl.example())
        store.backup(tmp_path / "copy")
    fl.restore_store(tmp_path / "copy", tmp_path / "again")
    with open_store(tmp_path / "again") as store:
        assert store.stats()["limit"][0] == 64_000_000
