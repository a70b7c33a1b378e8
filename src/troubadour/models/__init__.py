"""Networks that compose: training, ONNX graphs, and the model families."""
