"""Optimus as an ASGI application.

`streamlit run app.py`, `python app.py` and `uvicorn app:app` all serve it, from the folder of this file.
"""

import streamlit as st

from optimus.web.application import MAIN_SCRIPT, lifespan, middleware, report, routes

app = st.App(MAIN_SCRIPT, lifespan=lifespan, routes=routes(), middleware=middleware(), on_script_error=report)

if __name__ == "__main__":
    app.run()
