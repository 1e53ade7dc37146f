"""The demo: a small factory, played in real time through the real stack."""
