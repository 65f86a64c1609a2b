"""What the viewer knows, in plain objects without Qt: tests drive them alone, widgets show them."""
