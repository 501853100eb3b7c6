"""What training and serving share: taxonomy, text preparation, calibration, bundle and corpus formats."""
