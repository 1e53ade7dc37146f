"""Figures of a row from the results of its devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Figures = dict[str, Any]


def two_errors(values: npt.ArrayLike) -> list[float]:
    """Mean over devices and two standard errors of it; values: (devices, days)."""
    means = np.asarray(values, dtype=np.float64).mean(axis=1)
    error = 2.0 * means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else 0.0
    return [round(float(means.mean()), 4), round(float(error), 4)]


def budget(found: list[Figures]) -> Figures:
    """Alerts of devices under a budget: rates by day and week, shares of days, trend."""
    alerts = np.array([device["alerts"] for device in found])
    settled = alerts[:, 7:]
    weeks = settled[:, : settled.shape[1] // 7 * 7].reshape(len(alerts), -1, 7).mean(axis=(0, 2))
    slope = float(np.polyfit(np.arange(len(weeks)), weeks, 1)[0])
    return {
        "device_days": settled.size,
        "a_day": two_errors(settled),
        "at_most_1": round(float((settled <= 1).mean()), 5),
        "at_most_1_error": two_errors(settled <= 1)[1],
        "days_with": np.bincount(settled.astype(int).ravel()).tolist(),
        "day_1": two_errors(alerts[:, :1]),
        "day_2": two_errors(alerts[:, 1:2]),
        "days_3_to_7": two_errors(alerts[:, 2:7]),
        "first_hour": round(float(np.mean([d["first_hour"] for d in found])), 3),
        "weeks": weeks.round(4).tolist(),
        "worst_week": round(float(weeks.max()), 4),
        "slope_a_week": round(slope, 5),
        "by_level": round(sum(d["levels"] for d in found) / max(1.0, float(alerts.sum())), 3),
        "drift_notices": sum(d["notices"] for d in found),
        "state_bytes": max(d["state_bytes"] for d in found),
        "peak_sd": round(float(np.mean([d["peak"] for d in found])), 2),
    }


def prior(found: list[Figures]) -> Figures:
    """Alerts by day and recall of devices that start with a prior."""
    alerts = np.concatenate([run["alerts"] for run in found])
    return {
        "days": [two_errors(alerts[:, day : day + 1]) for day in range(alerts.shape[1])],
        "recall": mean([run["recall"] for run in found]),
    }


def mean(found: list[Any]) -> Any:
    """The mean over devices, elementwise."""
    return np.mean(found, axis=0).round(4).tolist()


def sustained_faults(found: list[Figures]) -> Figures:
    """How many faults are found, how fast, and how far thresholds shift."""
    delays = [delay for device in found for delay in device["delay"] if delay is not None]
    shifts = [device["shift"] for device in found if device["shift"] is not None]
    return {
        "faults": 2 * len(found),
        "found": round(len(delays) / (2 * len(found)), 3),
        "found_second": round(sum(device["delay"][1] is not None for device in found) / len(found), 3),
        "within_2_min": round(sum(delay <= 120 for delay in delays) / (2 * len(found)), 3),
        "flagged": round(float(np.mean([device["open_share"] for device in found])), 4),
        "median_delay_s": float(np.median(delays)) if delays else None,
        "max_shift": round(max(shifts, default=0.0), 5),
    }


def drift(found: list[Figures]) -> Figures:
    """Alerts and notices during a drift."""
    alerts = np.array([device["alerts"] for device in found])
    return {
        "a_day": two_errors(alerts),
        "worst_day": float(alerts.max()),
        "after": two_errors([device["after"] for device in found]),
        "notices": [device["notices"] for device in found],
    }


def cycle(found: list[Figures]) -> Figures:
    """Alerts and notices of devices with a daily cycle."""
    alerts = np.array([device["alerts"] for device in found])
    return {
        "day_1": two_errors(alerts[:, :1]),
        "a_day": two_errors(alerts[:, 7:]),
        "device_days": alerts[:, 7:].size,
        "drift_notices": sum(device["notices"] for device in found),
    }


def contaminated(found: list[Figures]) -> Figures:
    """Share of devices that find the fault again, and the longest delay."""
    return {
        "found": round(float(np.mean([device["found"] for device in found])), 3),
        "longest_delay_s": max((device["delay"] for device in found if device["delay"] is not None), default=None),
    }


def baseline_rates(found: list[Any]) -> Figures:
    """Alarms a day of a baseline."""
    days = np.asarray(found[0])
    error = 2.0 * days.std(ddof=1) / np.sqrt(len(days))
    return {
        "a_day": [round(float(days.mean()), 3), round(float(error), 3)],
        "at_most_1": round(float((days <= 1).mean()), 3),
    }


def single(found: list[Any]) -> Any:
    """The only run."""
    return found[0]
