"""How memories hang together: what is related to one, and what is known of somebody or something."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from optimus.memory_manager.graph import Neighbourhood, StatedRelation
from optimus.models import Memory
from optimus.ui.chat_sidebar import MEMORY_PAGE
from optimus.ui.guard import PageContext, act
from optimus.ui.text import count, day, plain

_CHARS = 140
_RELATIONS = 15
_MEMORIES = 10


def draw_related(context: PageContext, memory: Memory) -> None:
    """Draw, once it is opened, what hangs together with a memory by the people and things that both name."""
    box = st.expander("Related", icon=":material/hub:", key=f"related_{memory.id}", on_change="rerun")
    if not box.open:
        return
    with box:
        with st.spinner("Looking…"):
            found = act(context.services.graph.related, context.principal.user_id, memory.id)
        if found is None:
            return
        if not found:
            st.caption("Nothing else names the same people, places or things.")
        for each in found:
            _link(each.memory)
            st.caption(f"Through {plain(', '.join(each.through))}")


def draw_people(context: PageContext) -> None:
    """Draw, once it is opened, the people and things that memories name, and what is known of a chosen one."""
    box = st.expander("People and things", icon=":material/hub:", key="people", on_change="rerun")
    if not box.open:
        return
    with box:
        with st.spinner("Looking…"):
            listed = act(context.services.graph.entities, context.principal.user_id)
        if listed is None:
            return
        if not listed:
            st.caption("No memory names anybody or anything yet. Try “My sister Maria lives in Porto” in a chat.")
            return
        told = {entity.name: f"{entity.name} · {entity.type} · {count(number, 'memory')}" for entity, number in listed}
        chosen = st.selectbox(
            "Who or what",
            list(told),
            index=None,
            key="people_chosen",
            format_func=lambda name: told.get(name, name),
            placeholder="Choose, or type a name",
            accept_new_options=True,
        )
        if chosen:
            _draw_neighbourhood(context, _meant(chosen, told))


def _meant(typed: str, names: Iterable[str]) -> str:
    """Return the name that was chosen, or else the first that begins with what was typed."""
    listed = list(names)
    begins = (name for name in listed if name.casefold().startswith(typed.casefold()))
    return typed if typed in listed else next(begins, typed)


def _draw_neighbourhood(context: PageContext, name: str) -> None:
    found = act(context.services.graph.neighbourhood, context.principal.user_id, name)
    if found is None:
        st.caption(f"No memory names “{plain(name)}”.")
        return
    st.markdown(_title(found))
    if found.relations:
        more = len(found.relations) - _RELATIONS
        st.markdown("\n".join(map(_line, found.relations[:_RELATIONS])))
        if more > 0:
            st.caption(f"{more:,} more")
    if found.neighbours:
        st.caption(f"Named together with {plain(', '.join(found.neighbours))}")
    _draw_memories(found.memories)


def _draw_memories(memories: Iterable[Memory]) -> None:
    listed = list(memories)
    for memory in listed[:_MEMORIES]:
        _link(memory)
    if len(listed) > _MEMORIES:
        st.caption("More under Filters, About a person or thing.")


def _title(found: Neighbourhood) -> str:
    called = f" · also {plain(', '.join(found.entity.aliases))}" if found.entity.aliases else ""
    return f"**{plain(found.entity.name)}** · {found.entity.type}{called}"


def _line(stated: StatedRelation) -> str:
    said = f"{stated.relation.subject} {stated.relation.predicate} {stated.relation.object}"
    until = f" :small[:gray[until {day(stated.until)}]]" if stated.until else ""
    return f"- {plain(said[:1].upper() + said[1:])}{until}"


def _link(memory: Memory) -> None:
    text = " ".join(memory.text.split())
    short = f"{text[:_CHARS]}…" if len(text) > _CHARS else text
    st.page_link(MEMORY_PAGE, label=plain(short), icon=":material/neurology:", query_params={"memory": memory.id})
