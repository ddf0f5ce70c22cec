"""Optimus as an ASGI application.

`streamlit run app.py`, `python app.py` and `uvicorn app:app` all serve it, from the folder of this file.
"""

import sys

from optimus import process

try:
    import streamlit as st

    from optimus.web.application import MAIN_SCRIPT, lifespan, middleware, report, routes
except ImportError as error:
    sentence = process.failure_sentence(error)
    if sentence is None:
        raise
    sys.exit(f"Optimus cannot start. {sentence}")

app = st.App(MAIN_SCRIPT, lifespan=lifespan, routes=routes(), middleware=middleware(), on_script_error=report)

if __name__ == "__main__":
    app.run()
