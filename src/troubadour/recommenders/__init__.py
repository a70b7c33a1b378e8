"""Models that only score, and shared code that filters, blends, ranks, explains and evaluates."""
