"""Scores messages of many callers together."""

from nlp_service.adapters.batching.batcher import Batcher, Observer, ScoredBatch, Silent
from nlp_service.adapters.batching.engine import Engine

__all__ = ["Batcher", "Engine", "Observer", "ScoredBatch", "Silent"]
