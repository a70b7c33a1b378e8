"""Use cases that combine the packages below: composing, recommending, search, analysis, training, import."""
