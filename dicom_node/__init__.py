"""The PACS-side service: studies come in, results go back, nothing is lost.

The way of an object: listener -> store -> work (intake, classify, complete) -> destinations. `peers` are the client
calls, which the viewer uses, too.
"""
