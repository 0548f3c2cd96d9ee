"""Random frames of clients, and the values that they are made of."""

from typing import Any

from hypothesis import strategies as st

texts = st.text(max_size=40)
frame_ids = st.integers() | st.text(max_size=64)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


sends = st.builds(
    lambda frame_id, body: {"id": frame_id, "op": "send", "d": body},
    frame_ids,
    st.fixed_dictionaries(
        {"content": texts, "client_id": texts},
        optional={"conversation": texts, "to": texts, "reply_to": texts, "mood": json_values},
    ),
)
hellos = st.builds(
    lambda frame_id, rest: {"id": frame_id, "op": "hello", **rest},
    frame_ids,
    st.fixed_dictionaries({}, optional={"d": st.fixed_dictionaries({}, optional={"resume": st.none() | texts})}),
)
