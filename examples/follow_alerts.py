"""Appends every alert to a log file, one JSON object a line: python follow_alerts.py alerts.jsonl

Kafka's address comes from TOCSIN_KAFKA, or from the local stack that `tocsin up` started. Stop it with Ctrl-C.
"""

import asyncio
import sys
from pathlib import Path
from typing import TextIO

import tocsin


async def main(log: TextIO) -> None:
    async for alert in tocsin.alerts():
        log.write(alert.model_dump_json() + "\n")
        log.flush()
        print(f"{alert.state:8} {alert.severity:8} {alert.summary}", flush=True)


if __name__ == "__main__":
    try:
        with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
            asyncio.run(main(file))
    except KeyboardInterrupt:
        sys.exit(130)
