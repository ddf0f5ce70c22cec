"""Generated texts by the hundred, against which rules that read text are measured."""
