"""The interface: navigation, the page guard, typed session state and the parts that pages are drawn from."""
