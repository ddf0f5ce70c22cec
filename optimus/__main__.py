"""`python -m optimus`."""

import sys

from optimus import process

try:
    from optimus.cli import main
except ImportError as error:
    sentence = process.failure_sentence(error)
    if sentence is None:
        raise
    sys.exit(f"Optimus cannot start. {sentence}")

sys.exit(main())
