"""The script that Streamlit runs for every page: who is there, then which pages there are.

It stands away from `pages/` on purpose: beside it, Streamlit would run a deep-linked page file before this script.
"""

from optimus import process
from optimus.errors import OptimusError
from optimus.ui.boundary import report


def main() -> None:
    """Wait until everything is open, then draw."""
    if process.building(process.OPEN_TIMEOUT_S):
        from optimus.ui.preparing import preparing_page  # noqa: PLC0415 - hardly any start needs it

        preparing_page()
        return
    try:
        process.current()
    except OptimusError as error:
        if desk := process.rescue():
            from optimus.ui.rescue import rescue_page  # noqa: PLC0415 - hardly ever needed

            rescue_page(desk)
        else:
            report(error)
        return
    from optimus.ui.navigation import run  # noqa: PLC0415 - the opening imports it all; importing twice would wait

    run()


main()
