"""The demo: a synthetic factory, played in real time through the real stack."""
