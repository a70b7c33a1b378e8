"""The token language of the composers: vocabulary, tokenizer, grammar and position features."""
