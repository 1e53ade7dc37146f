"""A producer in ten lines: two seconds of noise as the device "example-1"."""

import asyncio

import numpy as np

import tocsin


async def main() -> None:
    noise = 0.01 * np.random.default_rng(1).standard_normal(2 * 16_000)
    async with tocsin.Publisher("example-1", 16_000, kind="machine") as publisher:
        await publisher.send(noise)


if __name__ == "__main__":
    asyncio.run(main())
