"""Slates: filters, re-ranking, exposure prices and exploration turn scores into lists."""
