"""The recipes there are; each one's module is read when it is asked for, since not all need the same libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from schemas.errors import PartMissing, SettingsError

if TYPE_CHECKING:
    from trainers.recipe import Recipe

RECIPES = {
    "quick": "trainers.quick:QuickRecipe",
    "machine": "trainers.machine:MachineRecipe",
    "conv-ae": "trainers.conv_ae:ConvAeRecipe",
    "mimii-ae": "trainers.mimii_ae:MimiiAeRecipe",
    "iaia": "trainers.iaia:IaiaRecipe",
    "fleet": "trainers.fleet:FleetRecipe",
    "leak": "trainers.leak:LeakRecipe",
    "scream": "trainers.scream:ScreamRecipe",
}
"""Where each recipe is, by its name."""


def recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        SettingsError: there is none.
        PartMissing: a library it needs is not installed.
    """
    if name not in RECIPES:
        raise SettingsError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    module, _, kind = RECIPES[name].partition(":")
    try:
        made: Recipe = getattr(import_module(module), kind)()
    except ModuleNotFoundError as error:
        raise PartMissing(
            f"recipe {name!r} needs {error.name}: install the extra with pip install 'tocsin[train]'"
        ) from None
    return made
