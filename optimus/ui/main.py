"""The script that Streamlit runs for every page: who is there, then which pages there are.

It stands away from `pages/` on purpose: beside it, Streamlit would run a deep-linked page file before this script.
"""

from optimus.ui.navigation import run

run()
