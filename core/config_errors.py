# SPDX-License-Identifier: MIT
"""Problems of a configuration as lines: `FILE: key.path = VALUE: expected ...`.

A place is a tuple of keys and list indices, as pydantic gives it. In a line the tables of an array
count from 1: `route[2]` is the second `[[route]]` of the file.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from twinroute.config_rules import Expected

Place = tuple[int | str, ...]

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
VALUE_CHARACTERS_MAX = 60
ABSENT = object()


def on_one_line(text: str) -> str:
    """Return text that fits any line: what does not print is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def problem(source: str, document: object, place: Place, expected: str) -> str:
    """Tell what is wrong with a value, in one line.

    source: the file. document: the tables as read. expected: completes "expected ...".
    """
    keys, value = _locate(document, place)
    shown = "" if value is ABSENT else f" = {as_toml(value)}"
    return f"{source}: {place_text(keys)}{shown}: expected {expected}"


def validation_problems(
    source: str, document: object, errors: Iterable[ErrorDetails], root: type[BaseModel]
) -> list[str]:
    """Tell each of pydantic's errors in one line.

    source: the file. document: the tables as read. root: the model that refused them.
    """
    return [_validation_problem(source, document, error, root) for error in errors]


def _validation_problem(
    source: str, document: object, error: ErrorDetails, root: type[BaseModel]
) -> str:
    kind, place = error["type"], error["loc"]
    if kind == "extra_forbidden":
        return _unknown_key(source, document, place, root)
    if kind == "missing":
        path = place_text(place)
        return f"{source}: {path}: required key is missing: expected {_expected(root, place)}"
    expected = error["ctx"]["expected"] if kind == "expected" else _expected(root, place)
    if kind in ("too_short", "too_long"):
        expected += f", found {len(error['input'])}"
    if place and place[-1] == "[key]":  # the name of a table is wrong, not what is in it
        return f"{source}: {place_text(place[:-1])}: expected {expected}"
    return problem(source, document, place, expected)


def _unknown_key(source: str, document: object, place: Place, root: type[BaseModel]) -> str:
    keys, value = _locate(document, place)
    model = _annotation_at(root, place[:-1])
    known = _keys(model) if _is_model(model) else []
    nearest = difflib.get_close_matches(str(place[-1]), known, n=1)
    hint = f' (did you mean "{nearest[0]}"?)' if nearest else ""
    table = isinstance(value, Mapping | list)
    shown = "" if table or value is ABSENT else f" = {as_toml(value)}"
    known_text = ", ".join(known[:-1]) + f" or {known[-1]}" if len(known) > 1 else "".join(known)
    return f"{source}: {place_text(keys)}{shown}: unknown key, expected {known_text}{hint}"


# --- what the file says at a place ----------------------------------------------------------------


def _locate(document: object, place: Place) -> tuple[Place, object]:
    """Follow a place as far as the file does: a string may stand where a list is meant."""
    value: object = document
    for depth, key in enumerate(place):
        if isinstance(value, Mapping) and key not in value:
            return place[: depth + 1], ABSENT
        if not isinstance(value, Mapping | list | tuple):
            return place[:depth], value
        value = value[key]  # type: ignore[index]
    return place, value


def place_text(place: Place) -> str:
    """Write a place as a user would: `port.p0.mtu`, `route[2].via`."""
    text = ""
    for key in place:
        if isinstance(key, int):
            text += f"[{key + 1}]"
        else:
            text += ("." if text else "") + _key_text(key)
    return text


def _key_text(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    return on_one_line(json.dumps(text[: VALUE_CHARACTERS_MAX * 2], ensure_ascii=False))


def as_toml(value: object) -> str:
    """Write a value as it stands in a file, cut if it is long."""
    text = _inline(value, 0)
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 3] + "..."


def _inline(value: object, depth: int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int) and value.bit_length() > 256:
        return hex(value >> (value.bit_length() - 256) // 4 * 4) + "..."
    if isinstance(value, Mapping | list) and depth > 3:
        return "..."
    if isinstance(value, Mapping):
        items = list(value.items())[:8]
        return "{" + ", ".join(f"{_key_text(k)} = {_inline(v, depth + 1)}" for k, v in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item, depth + 1) for item in value[:16]) + "]"
    return on_one_line(str(value))  # numbers, dates and times look as in TOML


# --- what the models say at a place ---------------------------------------------------------------


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _keys(model: Any) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _field(model: Any, key: int | str) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return field if isinstance(field, FieldInfo) else None
    return None


def _annotation_at(root: type[BaseModel], place: Place) -> Any:
    """Return the type that the models give a place, or None."""
    annotation: Any = root
    for key in place:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        if _is_model(annotation):
            field = _field(annotation, key)
            annotation = field.annotation if field else None
        elif get_origin(annotation) in (dict, list):
            annotation = get_args(annotation)[-1]
        else:
            return None
    return annotation


def _expected(root: type[BaseModel], place: Place) -> str:
    """Return what the field at a place, or the nearest around it, says it holds."""
    for end in range(len(place), 0, -1):
        model = _annotation_at(root, place[: end - 1])
        field = _field(model, place[end - 1]) if _is_model(model) else None
        for mark in field.metadata if field else []:
            if isinstance(mark, Expected):
                return mark.expected
        if _is_model(_annotation_at(root, place[:end])):
            return "a table"
    return "a table"
