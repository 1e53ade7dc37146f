"""Model files: the artefact store, the local cache, checks, signatures, ONNX sessions."""
