"""The byte budget: what is fetched waits for what is handled, by bytes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from processors.app.byte_budget import ByteBudget, bytes_of


def test_a_records_bytes_are_those_of_key_value_headers_and_its_objects() -> None:
    message = SimpleNamespace(key=b"abc", value=b"\0" * 100, headers=[("name", b"value"), ("none", None)])

    assert bytes_of(message) == 3 + 100 + 4 + 5 + 4 + 1_024
    assert bytes_of(SimpleNamespace(key=None, value=None, headers=None)) == 1_024


def test_one_record_is_taken_whatever_its_size() -> None:
    budget = ByteBudget(10)

    assert budget.has_room(1_000)
    budget.take(1_000)
    assert not budget.has_room(1)


async def test_a_record_waits_until_enough_is_handled() -> None:
    budget = ByteBudget(100)
    budget.take(60)
    budget.take(40)
    waiting = asyncio.create_task(budget.wait_for_room(50))
    budget.release(40)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()

    budget.release(60)
    await asyncio.wait_for(waiting, 1.0)
    assert budget.used == 0


async def test_a_rebalance_begins_the_count_anew_and_late_records_do_not_make_it_negative() -> None:
    budget = ByteBudget(100)
    budget.take(100)
    waiting = asyncio.create_task(budget.wait_for_room(50))
    await asyncio.sleep(0)
    budget.reset()
    await asyncio.wait_for(waiting, 1.0)
    budget.release(100)

    assert budget.used == 0
