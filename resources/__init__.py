"""Data that the packages load: models/, samples/."""
