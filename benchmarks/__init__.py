"""Benchmarks: what the product must reach, measured on this machine, beside the usual way of doing the same."""
