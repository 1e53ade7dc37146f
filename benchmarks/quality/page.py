"""``docs/quality.md`` from the rows that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.quality import aims, ships
from benchmarks.quality.row import Figure, Row

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"

_HEAD = """# How good the recipes are

Every recipe on all it can have here. Made by one command; a part can be measured again alone, and the page is then made
from all that is kept in `benchmarks/results/quality/`:

```sh
python -m benchmarks.quality --data RECORDINGS          # everything
python -m benchmarks.quality --data RECORDINGS NAME...  # some rows, by name
python -m benchmarks.quality --page                     # the page alone

tocsin dataset synthesize --layout mimii --out SET --ids 2 --snr=-6 --clips 14 --anomalies 6 --channels 1
tocsin study transfer --data SET --out benchmarks/results/transfer --set preset=small
```

RECORDINGS holds the real sets, none of which is distributed with Tocsin; rows on sets that are not there are passed
over. Figures are means, with the standard deviation over seeds and folds where there are several. "window" is one
core's time for one window alone in onnxruntime on one thread. "level auc" is what loudness alone reaches, either way
round.

**Rows marked *synthetic* were measured on sound made by `tocsin dataset synthesize`: they show that a recipe works, and
compare recipes with each other on the same sound. They say nothing of how well it would do on real machines.**
"""


_AIMS = """
## What was to be reached

"""

_SAID = {
    "conv-ae": """One model learns four machines here, and each scores otherwise when it is well: "clip auc" lays their
clips together, where a well pump may lie above a faulty fan; "within a machine" is the mean over machines, and what a
worker meets, which gives each device a threshold of its own. Rows without it were measured before it was told apart.
The form batchnorm began 30 dB above what it heard and spent most of a short training on coming down; since it begins at
the level of what it hears, its rows of one second went from .55 and .54 to .64 and .60, and are .77 and .71 within a
machine, where loudness alone, either way round, comes to .74: the faults lie 9 dB below machines that are 6 dB below
their noise. On the motor (`conv-ae-motor`) two of three seeds gave a model that was refused; now none does.
The form plain on powers (mel) ended at 0 whatever it heard, and now begins at their level too; it tells these faults no
better for it (.46 and .38 within a machine).""",
    "leak": """`preset=small` shows an extractor, begun at random, 160 images; what a MobileNet taps is then no feature
of leaks, which may even rebuild better than normal sound (AUC below .5), as they did in the source (.03). In one run
each the larger ResNet50 and DenseNet121 told them apart all the same. The generated anomalies that check the score's
direction can rise where leaks do not: training says so where leaks score below normal sound. Without an extractor these
leaks are found: `features=gfcc`, `features=mfcc`, or `extractor=none`.""",
}
"""By recipe, what must be known to read its rows on synthetic sound."""

_TRANSFER = """
## Transfer

`tocsin study transfer` asks whether a model that has heard other machines needs less of a new one's sound: the four
plans of Sound-Anomaly-Detection, which had five training clips and ten test clips a machine and no model from scratch
to compare with. The table gives what each reaches with a share of the new machine's own sound. On this set a model
from scratch has caught up at 5 %: from there on no plan is better than it by more than the error of measuring.

"""

_PLOT = """
![AUC over the share of the machine's own sound, a line a plan](../benchmarks/results/transfer/transfer.png)
"""


def page_of(rows: Mapping[str, Row], order: list[str], transfer: str = "", unmeasured: Sequence[str] = ()) -> str:
    """The page: aims, real sets, synthetic ones, transfer, and what ships; recipes in the order given.

    Args:
        rows: by name.
        order: of recipes.
        transfer: the table that ``tocsin study transfer`` wrote.
        unmeasured: names of rows that could be measured and were not.
    """
    parts = [_HEAD, _AIMS + aims.table_of(rows)] if rows else [_HEAD]
    for synthetic, heading in ((False, "Real recordings"), (True, "Synthetic sound")):
        these = {name: row for name, row in rows.items() if row.synthetic is synthetic}
        if not these:
            continue
        parts.append(f"\n## {heading}\n")
        recipes = [*order, *sorted({row.recipe for row in these.values()} - set(order))]
        for recipe in recipes:
            mine = sorted(
                ((name, row) for name, row in these.items() if row.recipe == recipe),
                key=lambda item: (item[1].order, item[0]),
            )
            if mine:
                parts.append(_section(recipe, mine, _SAID.get(recipe, "") if synthetic else ""))
    if transfer:
        parts.append(_TRANSFER + transfer + _PLOT)
    if rows:
        parts.append(ships.section(rows))
    if unmeasured:
        names = ", ".join(f"`{name}`" for name in unmeasured)
        parts.append(
            f"\n## Not measured\n\nThe command knows these rows too; nobody has let it measure them yet: {names}.\n"
        )
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(recipe: str, rows: list[tuple[str, Row]], said: str) -> str:
    mark = " (synthetic)" if rows[0][1].synthetic else ""
    lines = [
        f"### {recipe}{mark}\n",
        *([f"{said}\n"] if said else []),
        "| what | on | quality | known | parameters | file | window | row |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows:
        quality = "<br>".join(f"{what} {_text(figure)}" for what, figure in row.figures.items())
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
