"""Networks in general: torch blocks, one trainer, one ONNX graph builder. Knows neither tokens nor items."""
