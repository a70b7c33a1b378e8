"""Troubadour composes music and recommends music, and lets each make the other better."""

__version__ = "0.1.0"
