"""Scoring models: collaborative, content-based and sequential."""
