"""Splitting by conversation and by near-duplicate group."""

from __future__ import annotations

from collections.abc import Sequence

from training.data.examples import Example, bucket, content_key

SHORT = 6  # letters: shorter texts ("好的", "谢谢") are everybody's and tie no groups together


def split_validation(examples: Sequence[Example], share: float = 0.1) -> tuple[list[Example], list[Example]]:
    """Return (train, validation): whole conversations, and no long text of validation is left in training."""
    buckets = 1000
    held = [bucket(example.group, buckets) < share * buckets for example in examples]
    validation = [example for example, out in zip(examples, held, strict=True) if out]
    keys = {key for example in validation if len(key := content_key(example.text)) >= SHORT}
    train = [
        example
        for example, out in zip(examples, held, strict=True)
        if not out and content_key(example.text) not in keys
    ]
    return train, validation


def without_texts(examples: Sequence[Example], forbidden: set[str]) -> list[Example]:
    """Drop examples whose content key is in ``forbidden`` (long texts of development and test files)."""
    return [e for e in examples if len(key := content_key(e.text)) < SHORT or key not in forbidden]
