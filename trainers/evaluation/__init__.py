"""How good a model is: metrics, score direction, comparison, figures."""
