"""How an image is painted."""
