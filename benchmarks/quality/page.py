"""The quality pages in ``docs/appendix``, rendered from the saved rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.quality import shipped, targets
from benchmarks.quality.row import Figure, Row

FOLDER = Path(__file__).parents[2] / "docs" / "appendix"

_HEAD = """# How good the recipes are

These pages show every recipe on every data set available to it:

{pages}

One command measures everything; single rows can be measured again, and the pages are then rendered from all rows saved
in `benchmarks/results/quality/`:

```sh
python -m benchmarks.quality --data RECORDINGS          # everything
python -m benchmarks.quality --data RECORDINGS NAME...  # some rows, by name
python -m benchmarks.quality --page                     # the pages only

tocsin dataset synthesize --layout mimii --out SET --ids 2 --snr=-6 --clips 14 --anomalies 6 --channels 1
tocsin experiment transfer --data SET --out benchmarks/results/transfer --set preset=small
```

RECORDINGS holds the real sets, none of which is distributed with Tocsin; rows without their set are skipped. Figures
are means, with the standard deviation over seeds and folds if there are several. "window" is the onnxruntime time of a
single window on one thread. "level auc" is the AUC of loudness alone, in the better of its two directions.

**Rows marked *synthetic* were measured on sound from `tocsin dataset synthesize`: they show that a recipe works, and
compare recipes on the same sound. They do not predict quality on real machines.**
"""


_TARGETS = """
## Targets

"""

_REMARKS = {
    "conv-ae": """One model is trained on four machines here, each with its own normal score level: "clip auc" pools
their clips, where a normal pump may score above a faulty fan; "within a machine" is the mean over machines, which is
what counts in a worker, since each device has its own threshold. Rows without it are older than this distinction.
The form batchnorm started 30 dB above its input and spent most of a short training on closing that gap; now that its
initial output has the input's level, its rows of one second rose from .55 and .54 to .64 and .60, and reach .77 and .71
within a machine, where loudness alone, in the better direction, reaches .74: the faults are 9 dB below machines that
are 6 dB below their noise. On the motor (`conv-ae-motor`) two of three seeds gave a rejected model; now none does.
The form plain on powers (mel) converged to an output of 0 for any input, and now starts at the input's level too; that
does not improve detection of these faults (.46 and .38 within a machine).""",
    "leak": """`preset=small` trains a randomly initialised extractor on 160 images; then a MobileNet's features do not
represent leaks, which may even be reconstructed better than normal sound (AUC below .5), as in the source (.03). In one
run each the larger ResNet50 and DenseNet121 separated them all the same. Scores of the generated anomalies that check
the score's direction can rise where those of leaks do not: training warns if leaks score below normal sound. Without an
extractor these leaks are found: `features=gfcc`, `features=mfcc`, or `extractor=none`.""",
}
"""By recipe, remarks needed to read its rows on synthetic sound."""

_TRANSFER = """# Transfer

`tocsin experiment transfer` tests whether a model pretrained on other machines needs less audio of a new one. It
follows the four plans of Sound-Anomaly-Detection, which had five training clips and ten test clips per machine and no
model from scratch to compare with. The table gives the AUC of each plan with a share of the new machine's own audio. On
this set a model from scratch catches up at 5 %: from there on no plan is better by more than the measurement error.

"""

_PLOT = """
![AUC over the share of the machine's own sound, one line per plan](transfer.png)
"""


def pages_of(
    rows: Mapping[str, Row], order: Sequence[str], transfer: str = "", unmeasured: Sequence[str] = ()
) -> dict[str, str]:
    """The pages by file name: an overview with the targets, the shipped models, one page per recipe, and transfer.

    Args:
        rows: by name.
        order: of recipes.
        transfer: the table that ``tocsin experiment transfer`` wrote.
        unmeasured: names of known rows without a saved measurement.
    """
    pages: dict[str, str] = {}
    titles: dict[str, str] = {}
    for recipe in [*order, *sorted({row.recipe for row in rows.values()} - set(order))]:
        mine = {name: row for name, row in rows.items() if row.recipe == recipe}
        if mine:
            name = f"quality-{recipe}.md"
            pages[name], titles[name] = _recipe_page(recipe, mine), f"the `{recipe}` recipe"
    if transfer:
        pages["quality-transfer.md"], titles["quality-transfer.md"] = _TRANSFER + transfer + _PLOT, "transfer"
    if rows:
        pages["quality-shipped.md"] = "# Quality and cost of the shipped models\n\n" + shipped.section(rows)
        titles["quality-shipped.md"] = "the shipped models and their alternatives"
    links = "\n".join(f"- [{titles[name]}]({name})" for name in sorted(titles))
    parts = [_HEAD.format(pages=links)]
    if rows:
        parts.append(_TARGETS + targets.table_of(rows))
    if unmeasured:
        names = ", ".join(f"`{name}`" for name in unmeasured)
        parts.append(
            f"\n## Not measured\n\nThe command knows these rows too, but they have no saved measurement yet: {names}.\n"
        )
    pages["quality.md"] = "\n".join(parts)
    return {name: text.rstrip("\n") + "\n" for name, text in pages.items()}


def _recipe_page(recipe: str, rows: Mapping[str, Row]) -> str:
    parts = [f"# Quality of the {recipe} recipe\n"]
    for synthetic in (False, True):
        these = [(name, row) for name, row in rows.items() if row.synthetic is synthetic]
        if these:
            these.sort(key=lambda item: (item[1].order, item[0]))
            parts.append(_section(these, _REMARKS.get(recipe, "") if synthetic else ""))
    return "\n".join(parts)


def _section(rows: list[tuple[str, Row]], remarks: str) -> str:
    lines = [
        f"## {'Synthetic sound' if rows[0][1].synthetic else 'Real recordings'}\n",
        *([f"{remarks}\n"] if remarks else []),
        "| variant | data set | quality | known | parameters | file | window | row |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows:
        quality = "<br>".join(f"{label} {_text(figure)}" for label, figure in row.figures.items())
        cells = [
            row.variant,
            row.on + (" *(synthetic)*" if row.synthetic else ""),
            quality,
            row.known or "-",
            f"{row.parameters:,}",
            "-" if row.file_kb is None else f"{row.file_kb:,.0f} kB",
            "-" if row.window_ms is None else f"{row.window_ms:.2f} ms",
            f"`{name}`",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- `{name}`: {row.note}" for name, row in rows if row.note]
    return "\n".join([*lines, *([""] if notes else []), *notes, ""])


def _text(figure: Figure) -> str:
    value = f"{figure.mean:.3f}"
    return value if figure.sd is None else f"{value} ± {figure.sd:.3f} ({figure.runs} runs)"
