"""Rows of the recipe iaia: real MIMII features, by its source's protocol and by a clean one; synthetic machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.quality.one_class import synthetic_set
from benchmarks.quality.row import Figure, Row, cost_of
from trainers.export.artefact import write
from trainers.recipes.iaia.recipe import IaiaRecipe

SEEDS = 5

_NAMES = {"if": "isolation forest", "ocsvm": "one-class SVM", "lof": "LOF"}
_KNOWN = {
    "fan": "isolation forest .974 .902 .791, SVM .996 .965 .872, LOF .994 .972 .877 at 6, 0, -6 dB (one run)",
    "pump": "isolation forest .919 .886 .885, SVM .965 .892 .872, LOF .979 .935 .890 at 6, 0, -6 dB (one run)",
}


def features(data: Path | None, machine: str, protocol: str, order: int) -> Row | None:
    """Real features, seeds 0 to 4; its source's own run is seed 0."""
    archive = None if data is None else data / "mimii-features" / f"{machine}.npz"
    if archive is None or not archive.is_file():
        return None
    settings = {"protocol": protocol, "seeds": str(SEEDS), "machine": machine}
    trained = IaiaRecipe().train(archive, 0, settings)
    false_alarms = trained.report["false_alarms"]["lof"].values()
    shares = ", ".join(f"{100 * row['share_of_normal_clips']:.0f}" for row in false_alarms)
    first = "; ".join(
        " ".join([_NAMES[name], *(f"{row['first_seed']:.3f}" for row in columns.values())])
        for name, columns in trained.report["auc"].items()
    )
    return Row(
        recipe="iaia",
        variant=f"protocol={protocol}",
        on=f"real MIMII features, {machine}, mean over its machines",
        synthetic=False,
        parameters=0,
        file_kb=None,
        window_ms=None,
        figures=_figures(trained.report["auc"], SEEDS),
        known=_KNOWN[machine] if protocol == "source" else "",
        note=f"seed 0: {first}. Features without sound give no model file. At the 95th percentile of the training"
        f" scores {shares} % of normal test clips lie above (LOF; 6, 0, -6 dB); 5 % are 432 a day with clips of 10 s",
        order=order,
    )


def synthetic(_data: Path | None) -> Row:
    """From sound to a file, on a synthetic fan."""
    trained = IaiaRecipe().train(synthetic_set(), 1, {"machine": "fan", "seeds": "2"})
    path = write(trained, synthetic_set().parent / "iaia", 1, "0.1.0")
    size, cost = cost_of(path)
    return Row(
        recipe="iaia",
        variant="protocol=clean, LOF as the model",
        on="one fan at -6 dB",
        synthetic=True,
        parameters=0 if trained.model is None else trained.model.parameters,
        file_kb=size,
        window_ms=cost,
        figures=_figures(trained.report["auc"], 2),
        note="windows as long as a clip; features, denoisers, components and detector in one file",
        order=9,
    )


def _figures(auc: dict[str, Any], runs: int) -> dict[str, Figure]:
    return {
        f"{_NAMES[name]} AUC {column}": Figure(row["mean"], row["sd"], runs)
        for name, columns in auc.items()
        for column, row in columns.items()
    }


ROWS = {
    f"iaia-{machine}-{protocol}": (
        lambda data, machine=machine, protocol=protocol, order=order: features(data, machine, protocol, order)
    )
    for order, (machine, protocol) in enumerate((m, p) for p in ("source", "clean") for m in _KNOWN)
} | {"iaia-synthetic": synthetic}
