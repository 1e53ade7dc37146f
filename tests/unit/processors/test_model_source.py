"""Models made ready: from the store or the cache, checked once, signed where that is asked for."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from processors.adapters import model_source
from processors.adapters.artefact_store import ArtefactStore
from processors.adapters.model_cache import ModelCache
from processors.adapters.model_source import ModelSource
from processors.adapters.signing import sign
from schemas.artefact import Artefact
from schemas.errors import GoldenMismatch, ManifestInvalid, StoreUnavailable, Unsigned, WrongSignature
from tests.crafted import MACHINE, craft

pytestmark = pytest.mark.subprocess


class Shelf:
    """A store, a cache, and what is published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ArtefactStore(folder / "store")
        self.cache = ModelCache(folder / "cache")

    def publish(self, version: str, golden_off: float = 0.0) -> Artefact:
        path = craft(self.folder / f"{version}.onnx", version, 2.0, golden_off=golden_off)
        url = self.store.put(path)
        return Artefact(
            detector="machine",
            model_id="crafted",
            version=version,
            sha256=url.rpartition("/")[2].removesuffix(".onnx"),
            size=path.stat().st_size,
            url=url,
            features_hash=MACHINE.hash(),
            published_ns=0,
        )

    def source(self, *trusted: Ed25519PrivateKey) -> ModelSource:
        return ModelSource(self.store, self.cache, [key.public_key() for key in trusted])


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Versions that were checked, in order."""
    made: list[str] = []
    check = model_source.check_artefact  # type: ignore[attr-defined]

    def counted(path: Path, artefact: Artefact, *rest: object) -> object:
        made.append(artefact.version)
        return check(path, artefact, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(model_source, "check_artefact", counted)
    return made


def test_a_model_is_fetched_and_checked_once_for_all_workers_of_a_folder(shelf: Shelf, checks: list[str]) -> None:
    artefact = shelf.publish("a")
    one = shelf.source().obtain(artefact)
    (shelf.folder / "store" / f"{artefact.sha256}.onnx").unlink()

    two = shelf.source().obtain(artefact)

    assert (one.ref.version, two.ref.version) == ("a", "a")
    assert checks == ["a"]


def test_a_model_in_use_is_not_loaded_twice_and_one_that_is_not_is_let_go(shelf: Shelf) -> None:
    artefact, source = shelf.publish("a"), shelf.source()
    model = source.obtain(artefact)
    assert source.obtain(artefact) is model
    del model
    gc.collect()

    assert len(source._loaded) == 0


def test_the_cache_alone_recalls(shelf: Shelf) -> None:
    artefact = shelf.publish("a")
    shelf.source().obtain(artefact)
    (shelf.folder / "store").rename(shelf.folder / "away")

    assert shelf.source().recall(artefact).ref.version == "a"


def test_an_absent_store_is_no_refusal(shelf: Shelf) -> None:
    artefact = shelf.publish("a")
    (shelf.folder / "store").rename(shelf.folder / "away")

    with pytest.raises(StoreUnavailable):
        shelf.source().obtain(artefact)


def test_a_good_file_under_a_false_name_is_refused_though_it_was_checked(shelf: Shelf) -> None:
    artefact, source = shelf.publish("a"), shelf.source()
    source.obtain(artefact)

    with pytest.raises(ManifestInvalid, match="version"):
        source.obtain(artefact.model_copy(update={"version": "b"}))


def test_a_bad_file_is_refused_each_time(shelf: Shelf, checks: list[str]) -> None:
    artefact, source = shelf.publish("a", golden_off=1.0), shelf.source()
    for _ in range(2):
        with pytest.raises(GoldenMismatch):
            source.obtain(artefact)

    assert checks == ["a", "a"]


def test_where_keys_are_trusted_a_cached_model_needs_a_signature_too(shelf: Shelf) -> None:
    artefact = shelf.publish("a")
    shelf.source().obtain(artefact)
    mine, theirs = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()

    with pytest.raises(Unsigned):
        shelf.source(mine).recall(artefact)
    with pytest.raises(WrongSignature):
        shelf.source(mine).obtain(sign(artefact, theirs))
    assert shelf.source(mine).obtain(sign(artefact, mine)).ref.version == "a"
