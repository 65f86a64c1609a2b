"""The docks and dialogs around the images."""
