"""`tocsin acl`: Kafka's rules of access by role."""

from __future__ import annotations

import asyncio
from typing import Annotated, get_args

import typer

from schemas.access import Role
from schemas.errors import SettingsError
from tocsin.access_rules import create_rules, kafka_acls_lines
from tocsin.addresses import kafka_connection
from tocsin.cli.options import Kafka
from tocsin.settings import load_settings
from tocsin.terminal import print_line, print_lines

ROLES: tuple[Role, ...] = get_args(Role)


def acl(
    show: Annotated[
        bool, typer.Option("--print", help="Print the rules as lines of Kafka's own tool, kafka-acls.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Create the rules on the cluster.")] = False,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE[=PRINCIPAL]",
            help=f"Only this role ({', '.join(ROLES)}), for this principal. Repeatable."
            " Default: all roles, each for User:tocsin-ROLE.",
        ),
    ] = None,
    group: Annotated[str | None, typer.Option(help="Consumer group of the workers. Default: TOCSIN_GROUP.")] = None,
    kafka: Kafka = None,
) -> None:
    """Print or create the access rules of every role: least rights, for a Kafka that denies by default."""
    if show == apply:
        raise SettingsError("give either --print or --apply")
    settings = load_settings()
    principals = _principals(role or list(ROLES))
    of_group = group or settings.group
    connection = kafka_connection(settings, kafka)
    if show:
        print_lines(kafka_acls_lines(principals, of_group, connection.address))
        return
    count = asyncio.run(create_rules(connection, principals, of_group))
    print_line(f"{count} rules allow {', '.join(principals.values())} their work on Kafka at {connection}")


def _principals(given: list[str]) -> dict[Role, str]:
    found: dict[Role, str] = {}
    for one in given:
        name, separator, principal = one.partition("=")
        if name not in ROLES:
            raise SettingsError(f"{name!r} is not a role: the roles are {', '.join(ROLES)}")
        if separator and ":" not in principal:
            raise SettingsError(f"{principal!r} is not a principal such as User:{name}")
        found[name] = principal or f"User:tocsin-{name}"
    return found
