"""The offline assistant: answers from memory by rules, without any language model."""
