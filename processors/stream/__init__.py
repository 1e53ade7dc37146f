"""The pipeline from chunk to alert: decode, score, decide, send, acknowledge."""
