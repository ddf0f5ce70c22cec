"""The field for a new password, with its strength meter and the passphrase that can be suggested."""

from __future__ import annotations

import streamlit as st

from optimus.auth.passphrase import suggest_passphrase
from optimus.auth.passwords import MIN_PASSWORD_CHARS, strength

_BAR_STEPS = 4
_LEAST_BAR = 0.4


def draw_new_password(username: str, *, key: str, label: str = "Password") -> str:
    """Draw the field and what helps to fill it; return what is typed.

    Args:
        username: Whose password it will be; it may not be little more than the name.
        key: The field's widget key; another key is an empty field.
        label: What the field is called.
    """
    st.caption(f"At least {MIN_PASSWORD_CHARS} characters. Several words are easy to remember and hard to guess.")
    password = st.text_input(label, key=key, type="password", autocomplete="new-password", live=True)
    _draw_strength(password, username)
    suggested_key = f"{key}_suggested"
    st.button(
        "Suggest a passphrase",
        icon=":material/casino:",
        key=f"{key}_suggest",
        on_click=_suggest,
        args=(key, suggested_key),
    )
    if suggested := st.session_state.get(suggested_key):
        st.info("It is in the password field now. Keep it in a safe place; it is shown only here.")
        st.code(suggested, language=None, wrap_lines=True)
    return password


def _draw_strength(password: str, username: str) -> None:
    """Draw the meter, always as high as when it says something, so that no button moves under a click."""
    if not password:
        st.progress(0.0, text="Strength: nothing typed yet")
        return
    rated = strength(password, username)
    hint = f" · {rated.hint}" if rated.hint else ""
    st.progress(max(rated.score, _LEAST_BAR) / _BAR_STEPS, text=f"Strength: {rated.label}{hint}")


def _suggest(key: str, suggested_key: str) -> None:
    phrase = suggest_passphrase()
    st.session_state[key] = phrase
    st.session_state[suggested_key] = phrase
