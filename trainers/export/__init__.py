"""Export of a trained model to one ONNX file with manifest and golden windows."""
