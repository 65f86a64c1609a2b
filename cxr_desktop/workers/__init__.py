"""What takes time: child processes and threads, with progress and cancel."""
