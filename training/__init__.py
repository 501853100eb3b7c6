"""From corpora to a model bundle: prepare, pretrain, train, calibrate, export, evaluate."""
