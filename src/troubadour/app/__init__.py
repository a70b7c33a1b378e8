"""Use cases that join the packages below: composing, recommending, searching, training, long jobs."""
