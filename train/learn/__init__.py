"""Networks learn: networks, layer_table, augment, workers, run, step, fit, calibrate, checkpoint."""
