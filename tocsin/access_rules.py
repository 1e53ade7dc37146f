"""Kafka's rules of access for the roles: as lines of `kafka-acls`, and created on a cluster."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from itertools import groupby

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from connections.denials import raising_denials, right_denied
from connections.kafka import KafkaConnection
from connections.rights import OPERATION_CODES
from schemas.access import Right, Role, rights_of
from schemas.errors import BrokerUnavailable, SettingsError

_RESOURCE_CODES = {"Topic": 2, "Group": 3, "Cluster": 4}
_LITERAL, _PREFIXED, _ALLOW = 3, 4, 3
_TIMEOUT_S = 30.0
_SECURITY_DISABLED = 54


def kafka_acls_lines(principals: Mapping[Role, str], group: str, address: str) -> list[str]:
    """Commands of Kafka's own tool that allow every role what it needs; comments name the roles.

    Args:
        principals: of the roles, such as ``User:worker``.
        group: the workers' consumer group.
        address: bootstrap address.
    """
    lines = []
    for role, principal in principals.items():
        lines.append(f"# {role}")
        for (resource, name, prefixed), rights in groupby(rights_of(role, group), lambda right: _resource(right)):
            words = ["kafka-acls.sh", "--bootstrap-server", address, "--command-config", "admin.properties", "--add"]
            words += ["--allow-principal", principal]
            for right in rights:
                words += ["--operation", right.operation]
            words += ["--cluster"] if resource == "Cluster" else [f"--{resource.lower()}", name]
            words += ["--resource-pattern-type", "prefixed"] if prefixed else []
            lines.append(shlex.join(words))
    return lines


async def create_rules(
    connection: KafkaConnection, principals: Mapping[Role, str], group: str, *, prefixed: bool = False
) -> int:
    """Creates the rules on a cluster; those that exist stay as they are.

    Args:
        connection: of one who may alter the cluster.
        principals: of the roles, such as ``User:worker``.
        group: the workers' consumer group.
        prefixed: whether all groups whose names begin so are meant.

    Returns:
        How many rules hold from now on.

    Raises:
        AccessDenied: the client may not alter the cluster's rules.
        SettingsError: the cluster has no authorizer.
        BrokerUnavailable: no broker answers.
    """
    admin = AIOKafkaAdminClient(**connection.client_options())
    rules = [
        (principal, right)
        for role, principal in principals.items()
        for right in rights_of(role, group, prefixed=prefixed)
    ]
    try:
        async with raising_denials(connection, "Alter"), asyncio.timeout(_TIMEOUT_S):
            await admin.start()
            for principal, right in rules:
                await _create(admin, connection, principal, right)
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(
            f"Kafka at {connection} did not create the rules ({str(error) or type(error).__name__}): run it again"
        ) from None
    finally:
        await admin.close()
    return len(rules)


async def _create(admin: AIOKafkaAdminClient, connection: KafkaConnection, principal: str, right: Right) -> None:
    client = admin._client  # noqa: SLF001 - the admin client has no method for rules
    request = CreateAclsRequest(
        _RESOURCE_CODES[right.resource],
        right.name,
        _PREFIXED if right.prefixed else _LITERAL,
        principal,
        "*",
        OPERATION_CODES[right.operation],
        _ALLOW,
    )
    answer = await client.send(client.get_random_node(), request)
    code, message = answer.creation_responses[0]
    if code == _SECURITY_DISABLED:
        raise SettingsError(
            f"Kafka at {connection} has no authorizer, so that everyone may do everything: set authorizer.class.name in"
            " its configuration first"
        )
    if code:
        error = for_code(code)(message)
        raise right_denied(error, connection, "Alter") or error


def _resource(right: Right) -> tuple[str, str, bool]:
    return right.resource, right.name, right.prefixed
