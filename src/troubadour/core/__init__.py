"""Shared basics: errors, settings, plugin registry, files, Markdown tables, SVG plots, threads, top-n selection."""
