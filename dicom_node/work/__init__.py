"""What is done with received objects: analysed, completed to results, sent. Rows are the truth, DBOS runs them.

See docs/decisions/0012-durable-work.md for what is a row, a file, a workflow, and which process does what.
"""
