"""Marks every open alert of one device as a false alarm: python send_feedback.py press-1"""

import asyncio
import sys

import tocsin
from tocsin.schemas import Alert


async def main(device_id: str) -> None:
    latest: dict[str, Alert] = {}
    async for alert in tocsin.alerts(following=False):
        if alert.device_id == device_id:
            latest[alert.alert_id] = alert
    for alert in latest.values():
        if alert.state != "closed":
            await tocsin.send_feedback(alert, "false-alarm", note="maintenance was under way", by="an example")
            print(f"marked {alert.alert_id} as a false alarm")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
