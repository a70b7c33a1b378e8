"""Evaluation of recommenders: splits, evaluation sets, metrics, intervals and off-policy estimates."""
