"""Models made ready: from the store or the cache, checked once, signed where required."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from processors.adapters.models import source as model_source
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.cache import ModelCache
from processors.adapters.models.signing import sign
from processors.adapters.models.source import ModelSource
from schemas.artefact import Artefact
from schemas.errors import GoldenMismatch, ManifestInvalid, StoreUnavailable, Unsigned, WrongSignature
from tests.crafted import MACHINE, craft

pytestmark = pytest.mark.subprocess


class Repository:
    """A store, a cache, and published models."""

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
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Versions that were checked, in order."""
    made: list[str] = []
    check = model_source.check_artefact  # type: ignore[attr-defined]

    def counted(path: Path, artefact: Artefact, *rest: object) -> object:
        made.append(artefact.version)
        return check(path, artefact, *rest)

    monkeypatch.setattr(model_source, "check_artefact", counted)
    return made


def test_a_model_is_fetched_and_checked_once_for_all_workers(repository: Repository, checks: list[str]) -> None:
    artefact = repository.publish("a")
    one = repository.source().obtain(artefact)
    (repository.folder / "store" / f"{artefact.sha256}.onnx").unlink()

    two = repository.source().obtain(artefact)

    assert (one.ref.version, two.ref.version) == ("a", "a")
    assert checks == ["a"]


def test_a_model_in_use_is_not_loaded_twice_and_an_unused_one_is_freed(repository: Repository) -> None:
    artefact, source = repository.publish("a"), repository.source()
    model = source.obtain(artefact)
    assert source.obtain(artefact) is model
    del model
    gc.collect()

    assert len(source._loaded) == 0


def test_the_cache_alone_recalls(repository: Repository) -> None:
    artefact = repository.publish("a")
    repository.source().obtain(artefact)
    (repository.folder / "store").rename(repository.folder / "away")

    assert repository.source().recall(artefact).ref.version == "a"


def test_an_absent_store_is_not_a_refusal(repository: Repository) -> None:
    artefact = repository.publish("a")
    (repository.folder / "store").rename(repository.folder / "away")

    with pytest.raises(StoreUnavailable):
        repository.source().obtain(artefact)


def test_a_good_file_under_a_wrong_version_is_refused_though_it_was_checked(repository: Repository) -> None:
    artefact, source = repository.publish("a"), repository.source()
    source.obtain(artefact)

    with pytest.raises(ManifestInvalid, match="version"):
        source.obtain(artefact.model_copy(update={"version": "b"}))


def test_a_bad_file_is_refused_each_time(repository: Repository, checks: list[str]) -> None:
    artefact, source = repository.publish("a", golden_off=1.0), repository.source()
    for _ in range(2):
        with pytest.raises(GoldenMismatch):
            source.obtain(artefact)

    assert checks == ["a", "a"]


def test_where_keys_are_trusted_a_cached_model_needs_a_signature_too(repository: Repository) -> None:
    artefact = repository.publish("a")
    repository.source().obtain(artefact)
    mine, theirs = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()

    with pytest.raises(Unsigned):
        repository.source(mine).recall(artefact)
    with pytest.raises(WrongSignature):
        repository.source(mine).obtain(sign(artefact, theirs))
    assert repository.source(mine).obtain(sign(artefact, mine)).ref.version == "a"
