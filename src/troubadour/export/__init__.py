"""Pieces and models as they leave the program: files, licences, notebooks, model cards."""
