"""From scores to a list: filters, re-ranking, exposure and exploration."""
