"""Fit, calibrate, evaluate and export: the only product code that imports TensorFlow.

The way of the data: dataset_index -> split -> input_batches (augment) -> networks -> fit -> calibrate,
domain_fit, evaluate -> export, model_card.
"""
