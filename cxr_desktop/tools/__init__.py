"""What the mouse does to an image."""
