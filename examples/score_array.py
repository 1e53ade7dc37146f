"""Scores an array of samples for screams, in pieces as a microphone would deliver them."""

import numpy as np

import tocsin

SAMPLE_RATE = 16_000


def main() -> None:
    rng = np.random.default_rng(1)
    seconds = 5
    samples = 0.01 * rng.standard_normal(seconds * SAMPLE_RATE)  # quiet noise; 1.0 is full scale
    scorer = tocsin.Scorer("scream", sample_rate=SAMPLE_RATE)
    for start in range(0, len(samples), 1_600):
        for window in scorer.push(samples[start : start + 1_600]):
            mark = "  <-- alarm" if window.exceeds else ""
            print(f"{window.start_s:6.2f} s  score {window.score:7.3f}  threshold {window.threshold}{mark}")


if __name__ == "__main__":
    main()
