"""Export of pieces and models: files, licences, notebooks, model cards."""
