"""How good what is served is: figures with intervals, plots, one page to mail, and two models side by side."""
