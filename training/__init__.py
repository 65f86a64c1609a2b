"""Fit, calibrate, export, evaluate, compare, probe: the only product code that imports TensorFlow.

The way of the data: datasets -> split -> pictures -> augment, input_batches -> networks, loop -> fit (run_folder) ->
calibrate, domain_fit -> graph, export, model_card; then evaluation and probes judge what is served.
"""
