"""The model bundle in ONNX Runtime."""

from nlp_service.adapters.onnx.load import OnnxModel

__all__ = ["OnnxModel"]
