"""A trained model to one ONNX file with manifest and golden vectors."""
