"""What the node keeps: the data folder with its files, and the rows that say what is to be done with them."""
