"""Generation under constraints: the request, constraints, sampling, tasks and originality."""
