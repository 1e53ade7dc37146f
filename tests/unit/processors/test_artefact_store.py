"""The store of model files: complete files by their digest, and nothing else, whatever was announced."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from processors.adapters.models import artefact_store
from processors.adapters.models.artefact_store import ArtefactStore
from schemas.artefact import Artefact
from schemas.errors import (
    DigestMismatch,
    SettingsError,
    SizeMismatch,
    StoreUnavailable,
    TocsinError,
    TooLarge,
    UnreadableInput,
    UnsafePath,
)
from tests.unit.processors.crafted import announced

MEMORY = "memory://bucket/models"


@pytest.fixture(params=["folder", "elsewhere"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtefactStore]:
    """A folder, and a store that is not a folder."""
    yield ArtefactStore(tmp_path / "store" if request.param == "folder" else MEMORY)
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(3_000_000))
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def of(store: ArtefactStore, file: Path) -> Artefact:
    artefact = announced(file)
    return artefact.model_copy(update={"url": store.url_of(artefact.sha256)})


def replace_stored(store: ArtefactStore, artefact: Artefact, data: bytes) -> None:
    """Replaces a stored file, as a faulty or hostile store would."""
    if store._folder is not None:
        (store._folder / f"{artefact.sha256}.onnx").write_bytes(data)
    else:
        store._files.pipe_file(f"{store._location}/{artefact.sha256}.onnx", data)


def test_what_is_put_is_fetched(store: ArtefactStore, file: Path, cache: Path) -> None:
    artefact = of(store, file)

    assert store.put(file) == artefact.url
    assert artefact.url.endswith(f"/{artefact.sha256}.onnx")
    path = store.fetch(artefact, cache)

    assert path.read_bytes() == file.read_bytes()
    assert list(cache.iterdir()) == [path]


def test_putting_again_changes_nothing(tmp_path: Path, file: Path) -> None:
    store = ArtefactStore(tmp_path / "store")
    store.put(file)
    (kept,) = (tmp_path / "store").iterdir()
    before = kept.stat()

    store.put(file)

    assert [path.name for path in (tmp_path / "store").iterdir()] == [kept.name]
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_damaged_file_is_stored_again(tmp_path: Path, file: Path, cache: Path) -> None:
    store = ArtefactStore(tmp_path / "store")
    store.put(file)
    replace_stored(store, of(store, file), b"half")

    store.put(file)

    assert store.fetch(of(store, file), cache).read_bytes() == file.read_bytes()


def test_a_cached_file_is_not_fetched_again(store: ArtefactStore, file: Path, cache: Path) -> None:
    store.put(file)
    store.fetch(of(store, file), cache)
    replace_stored(store, of(store, file), b"gone bad")
    assert store.fetch(of(store, file), cache).read_bytes() == file.read_bytes()


def test_a_damaged_file_is_fetched_again(store: ArtefactStore, file: Path, cache: Path) -> None:
    store.put(file)
    path = store.fetch(of(store, file), cache)
    path.write_bytes(b"half")
    assert store.fetch(of(store, file), cache).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (lambda data: data[:-1], SizeMismatch),
        (lambda data: data + b"x", SizeMismatch),
        (lambda _: b"", SizeMismatch),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), DigestMismatch),
    ],
    ids=["shorter", "longer", "empty", "other"],
)
def test_a_store_that_returns_another_file(
    store: ArtefactStore, file: Path, cache: Path, lie: Callable[[bytes], bytes], error: type[TocsinError]
) -> None:
    store.put(file)
    replace_stored(store, of(store, file), lie(file.read_bytes()))

    with pytest.raises(error):
        store.fetch(of(store, file), cache)

    assert list(cache.iterdir()) == []


class Endless:
    """A file without an end; counts what was read of it."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def read(self, size: int) -> bytes:
        self.read_bytes += size
        return bytes(size)

    def __enter__(self) -> Endless:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_an_endless_file_does_not_fill_the_disk(
    store: ArtefactStore, file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Endless()
    monkeypatch.setattr(store, "_open", lambda _: source)

    with pytest.raises(SizeMismatch, match=str(file.stat().st_size)):
        store.fetch(of(store, file), cache)

    assert source.read_bytes <= file.stat().st_size + 2 * 2**20
    assert list(cache.iterdir()) == []


def test_no_more_is_fetched_than_is_allowed(store: ArtefactStore, file: Path, cache: Path) -> None:
    store.put(file)
    with pytest.raises(TooLarge, match="1000"):
        store.fetch(of(store, file), cache, max_bytes=1_000)


def test_a_store_that_does_not_answer(
    store: ArtefactStore, file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), []

    class Silent(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            answers.wait(60)
            return super().read(size)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_open", lambda _: Silent(file.read_bytes()))
        with pytest.raises(StoreUnavailable, match="no answer"):
            store.fetch(of(store, file), cache, timeout=0.05)
        with pytest.raises(StoreUnavailable, match="still hangs"):
            store.fetch(of(store, file), cache, timeout=0.05)
    assert len(asked) == 1

    answers.set()
    assert store._stuck is not None
    store._stuck.join(60)
    assert list(cache.iterdir()) == []
    store.put(file)
    assert store.fetch(of(store, file), cache).read_bytes() == file.read_bytes()


def test_a_store_without_the_file(store: ArtefactStore, file: Path, cache: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not hold"):
        store.fetch(of(store, file), cache)


def test_a_folder_that_cannot_be_written(tmp_path: Path, file: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(StoreUnavailable, match="taken"):
        ArtefactStore(tmp_path / "taken").put(file)
    store = ArtefactStore(tmp_path / "store")
    store.put(file)
    with pytest.raises(StoreUnavailable):
        store.fetch(of(store, file), tmp_path / "taken")


def test_what_cannot_be_put(store: ArtefactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableInput, match="missing"):
        store.put(tmp_path / "missing.onnx")
    large = tmp_path / "large.onnx"
    large.write_bytes(bytes(11))
    monkeypatch.setattr(artefact_store, "MAX_ARTEFACT_BYTES", 10)
    with pytest.raises(TooLarge, match="10"):
        store.put(large)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/{sha}.onnx",
        "s3://another/models/{sha}.onnx",
        "memory://bucket/{sha}.onnx",
        "{store}/../secret/{sha}.onnx",
        "{store}/./{sha}.onnx",
        "{store}//{sha}.onnx",
        "{store}x/{sha}.onnx",
        "{store}/below/{sha}.onnx",
        "{store}/{sha}.onnx?versionId=1",
        "{store}/{sha}.onnx#",
        "{store}/{sha}.onnx\n",
        "{store}/other.onnx",
        "simplecache::{store}/{sha}.onnx",
        "{scheme}://user:password@{place}/{sha}.onnx",
        "{scheme_upper}://{place}/{sha}.onnx",
        "{place}/{sha}.onnx",
        " {store}/{sha}.onnx",
    ],
)
def test_an_address_that_leads_elsewhere(store: ArtefactStore, file: Path, cache: Path, url: str) -> None:
    store.put(file)
    scheme, _, place = store.url.partition("://")
    sha = of(store, file).sha256
    asked = url.format(store=store.url, sha=sha, scheme=scheme, scheme_upper=scheme.upper(), place=place)
    with pytest.raises(UnsafePath, match="TOCSIN_MODEL_STORE"):
        store.fetch(of(store, file).model_copy(update={"url": asked}), cache)
    assert not cache.exists()


def test_links_and_pipes_in_the_folder_are_not_followed(tmp_path: Path, file: Path, cache: Path) -> None:
    store = ArtefactStore(tmp_path / "store")
    (tmp_path / "store").mkdir()
    kept = tmp_path / "store" / f"{of(store, file).sha256}.onnx"

    kept.symlink_to(file)
    with pytest.raises(UnsafePath, match="link"):
        store.fetch(of(store, file), cache)

    kept.unlink()
    os.mkfifo(kept)
    with pytest.raises(UnsafePath, match="plain"):
        store.fetch(of(store, file), cache)


def test_a_link_in_the_cache_is_not_followed(store: ArtefactStore, file: Path, cache: Path) -> None:
    store.put(file)
    cache.mkdir()
    (cache / f"{of(store, file).sha256}.onnx").symlink_to(file)

    path = store.fetch(of(store, file), cache)

    assert not path.is_symlink()
    assert path.read_bytes() == file.read_bytes()


def test_partial_files_of_a_killed_process_are_deleted(store: ArtefactStore, file: Path, cache: Path) -> None:
    store.put(file)
    cache.mkdir()
    old, fresh = cache / ".old.part", cache / ".fresh.part"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 4_000, time.time() - 4_000))

    path = store.fetch(of(store, file), cache)

    assert set(cache.iterdir()) == {path, fresh}


@pytest.mark.parametrize(
    "url",
    [
        "ftp+nothing://host/x",
        "s3://key:secret@bucket/x",
        "http://169.254.169.254/models",
        "https://models.example/x",
        "simplecache::s3://bucket/x",
        "file:///",
        "s3://",
        "file:///data/../x",
        "s3://bucket/x?a=b",
        "S3://bucket",
    ],
)
def test_what_cannot_be_a_store(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ArtefactStore(url)
    assert "secret" not in str(refused.value)


def test_a_folder_is_named_in_one_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: list[str | Path] = ["models", "./models/", tmp_path / "models", f"file://{tmp_path}/models/"]
    assert {ArtefactStore(name).url for name in names} == {f"file://{tmp_path}/models"}
