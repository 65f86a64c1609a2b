"""The reading station: a desktop viewer for chest radiographs. Research use, not for diagnosis."""
