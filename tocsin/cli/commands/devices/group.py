"""`tocsin devices`: the fleet, its false-alarm budgets, and operators' feedback on a device."""

from __future__ import annotations

import typer

from tocsin.cli.commands.devices.explain import explain
from tocsin.cli.commands.devices.listing import list_devices
from tocsin.cli.commands.devices.normal import normal
from tocsin.cli.commands.devices.policy import policy, sensitivity

devices = typer.Typer(
    name="devices", add_completion=False, help="Inspect the fleet and set its false-alarm budget.", no_args_is_help=True
)

devices.command("list")(list_devices)
devices.command("policy")(policy)
devices.command("explain")(explain)
devices.command("normal")(normal)
devices.command("sensitivity", hidden=True)(sensitivity)
