"""Tools: the user's own functions, which a model may ask to have called."""

from __future__ import annotations

import inspect
import json
import re
import typing
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief
from alcf_jupyter.prompt.template import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_ROUNDS = 8
"""So many times a model may ask for tools before it has to answer."""

LONGEST_RESULT = 50_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_TOOLS = 128


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A call of a tool.

    Attributes
    ----------
    name, arguments
        As the model gave them; the arguments are JSON text.
    result
        What the model was told: what the function returned, or its error.
    failed
        Whether it was an error.
    """

    name: str
    arguments: str
    result: str
    failed: bool = False

    @property
    def call(self) -> str:
        """The call in one line, as in Python."""
        try:
            values = json.loads(self.arguments or "{}")
            inside = ", ".join(f"{key}={value!r}" for key, value in values.items())
        except (ValueError, AttributeError, RecursionError):
            inside = self.arguments
        return brief(f"{self.name}({inside})", 300)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function, and how the model is told of it."""

    function: Callable[..., Any]
    name: str
    description: str
    arguments: Any
    """The pydantic model of its parameters."""

    @property
    def declaration(self) -> dict[str, Any]:
        """What is sent of it."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        for parameter in schema.get("properties", {}).values():
            parameter.pop("title", None)
        told = {"name": self.name, "description": self.description, "parameters": schema}
        return {
            "type": "function",
            "function": {key: value for key, value in told.items() if value},
        }

    def run(self, arguments: str) -> ToolRun:
        """Call the function with what the model gave; an error goes back to the model."""
        import pydantic

        try:
            read = self.arguments.model_validate_json(arguments or "{}")
            values = {field: getattr(read, field) for field in type(read).model_fields}
            given = {name: values[name] for name in read.model_fields_set}
            result = _written(self.function(**given))
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the arguments"
            return ToolRun(self.name, arguments, f"Error: {place}: {first['msg']}", failed=True)
        except Exception as error:  # noqa: BLE001 - the user's own function can raise anything
            told = f"Error: {type(error).__name__}: {brief(error)}"
            return ToolRun(self.name, arguments, told, failed=True)
        return ToolRun(self.name, arguments, result)


def declared(functions: Iterable[Any]) -> dict[str, Tool]:
    """Return the tools that functions make, by name.

    Parameters
    ----------
    functions
        Python functions; the signature gives the parameters and their types, the docstring
        (NumPy, Google or reST style) says what they mean.

    Raises
    ------
    UsageError
        One is no function that a model could call; nothing was sent.
    """
    if callable(functions) or not hasattr(functions, "__iter__"):
        functions = (functions,)
    tools = [_tool(function) for function in functions]
    twice = [name for name, count in Counter(tool.name for tool in tools).items() if count > 1]
    if twice:
        raise UsageError(f"Two tools are called {twice[0]!r}.", do="Give one another name.")
    if len(tools) > _MOST_TOOLS:
        raise UsageError(
            f"{len(tools)} tools are too many; the service takes {_MOST_TOOLS}.", do="Give fewer."
        )
    return {tool.name: tool for tool in tools}


def run_all(tools: dict[str, Tool], calls: list[dict[str, Any]]) -> list[tuple[str, ToolRun]]:
    """Run what the model asked for, in its order; return each call's id and what came of it.

    Parameters
    ----------
    tools
        What the user gave; nothing else is ever called.
    calls
        As the service gives them.
    """
    done: list[tuple[str, ToolRun]] = []
    for call in calls:
        told = call.get("function")
        function = told if isinstance(told, dict) else {}
        name, arguments = str(function.get("name") or ""), str(function.get("arguments") or "")
        tool = tools.get(name)
        if tool is None:
            known = f"Error: there is no tool of this name; there are {', '.join(tools)}."
            run = ToolRun(name, arguments, known, failed=True)
        else:
            run = tool.run(arguments)
        done.append((str(call.get("id") or ""), run))
    return done


def messages(done: list[tuple[str, ToolRun]]) -> list[dict[str, Any]]:
    """Return the messages that tell a model what came of its calls, as the gateway takes them."""
    asked = [
        {
            "id": number,
            "type": "function",
            "function": {"name": run.name, "arguments": run.arguments},
        }
        for number, run in done
    ]
    told = [{"role": "tool", "tool_call_id": number, "content": run.result} for number, run in done]
    return [{"role": "assistant", "content": "", "tool_calls": asked}, *told]


def _tool(function: Any) -> Tool:
    name = getattr(function, "__name__", "")
    if not callable(function) or inspect.isclass(function) or not _NAME.fullmatch(name):
        shown = repr(name) if name else f"This {type(function).__name__}"
        raise UsageError(
            f"{brief(shown, 60)} is not a tool; nothing was sent.",
            do="A tool is a function with a name and a docstring, made with def.",
        )
    if inspect.iscoroutinefunction(function):
        raise UsageError(
            f"{name} is an async function, which cannot be called here.", do="Wrap it in a def."
        )
    import docstring_parser

    told = docstring_parser.parse(inspect.getdoc(function) or "")
    about = {parameter.arg_name: parameter.description for parameter in told.params}
    description = " ".join(filter(None, (told.short_description, told.long_description)))
    return Tool(function, name, description, _arguments(function, name, about))


def _arguments(function: Any, name: str, about: dict[str, str | None]) -> Any:
    import pydantic

    try:
        signature = inspect.signature(function)
        hints = typing.get_type_hints(function, include_extras=True)
    except (ValueError, TypeError, NameError) as error:
        raise UsageError(
            f"The parameters of {name} cannot be read: {brief(error, 120)}",
            do="Wrap it in a def with plain type hints.",
        ) from None
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or (
            parameter.kind is parameter.POSITIONAL_ONLY
        ):
            raise UsageError(
                f"{name} takes {parameter}, which a model cannot name.",
                do="Wrap it in a def with named parameters.",
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (
            hints.get(parameter.name, Any),
            pydantic.Field(default, description=about.get(parameter.name)),
        )
    try:
        with warnings.catch_warnings():
            # a parameter called copy or json hides a method of the model, which is not used here
            warnings.simplefilter("ignore", UserWarning)
            settings = pydantic.ConfigDict(extra="forbid", protected_namespaces=())
            model = pydantic.create_model(name, __config__=settings, **fields)
            model.model_json_schema()
    except (pydantic.errors.PydanticUserError, TypeError, NameError) as error:
        raise _no_form(name, error) from None
    if taken := fields.keys() - model.model_fields.keys():
        raise _no_form(name, f"none can be called {taken.pop()}")
    return model


def _no_form(name: str, reason: object) -> UsageError:
    return UsageError(
        f"The parameters of {name} have no JSON form: {brief(reason, 120)}",
        do="Use other names, or numbers, strings, lists and dicts as type hints.",
    )


def _written(value: Any) -> str:
    """Return what the model is told of a result."""
    if isinstance(value, str) or hasattr(value, "head") or hasattr(value, "ndim"):
        text = show(value)
    else:
        import pydantic

        text = pydantic.TypeAdapter(Any).dump_json(value, fallback=str).decode()
    return text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]}\n(shortened)"
