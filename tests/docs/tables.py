"""The tables of the reference, and of some pages beside it, made from the code.
`python -m tests.docs.tables` writes them anew.

What a table says of a class, a function or an argument is what its docstring says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final

from pydantic import BaseModel
from tests.docs.pages import DOCS

import payfulfill
from payfulfill import cli, errors, pricing, stores, stripe, testing, web
from payfulfill import models as models_module
from payfulfill import webhooks as webhooks_module
from payfulfill.cli.command import Command
from payfulfill.errors import PayfulfillError
from payfulfill.payments.ways import Options
from payfulfill.rules import FINDINGS, REASONS
from payfulfill.rules.access import ALLOWED
from payfulfill.sandbox.cards import CARDS, Card, Complaint, Refunding, Reply
from payfulfill.stores import MongoStore, PostgresStore, SQLiteStore
from payfulfill.stripe import StripeGateway
from payfulfill.web import CheckoutPages, File, LocalFiles, Redirect, SignedUrls, problems, wire
from payfulfill.web.endpoints import Endpoints
from payfulfill.web.fastapi import router
from payfulfill.web.flask import blueprint
from payfulfill.web.openapi import refusals
from payfulfill.web.routes import ENDPOINTS, Endpoint

Rows = list[list[str]]


# --- Reading docstrings ----------------------------------------------------------------------


def summary(thing: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(inspect.cleandoc(thing.__doc__ or "").partition("\n\n")[0].split())


def entries(thing: object, heading: str) -> dict[str, str]:
    """What a docstring says under `Args:` or the like."""
    text = inspect.cleandoc(thing.__doc__ or "")
    part = re.search(rf"^{heading}:\n((?:    .*\n?|\n(?=    ))+)", text, re.MULTILINE)
    if part is None:
        return {}
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", part[1], re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}


def code(text: object) -> str:
    """In backticks, fit for a cell of a table."""
    return "`" + str(text).replace("|", r"\|") + "`"


# --- HTTP ------------------------------------------------------------------------------------


def endpoints() -> Rows:
    return [
        ["call", "who", "what"],
        *([code(f"{each.method} {each.path}"), who(each), each.summary] for each in ENDPOINTS),
    ]


def who(endpoint: Endpoint) -> str:
    if not endpoint.signed_in:
        return "Stripe"
    return "an admin" if endpoint.handler is Endpoints.refund_payment else "a buyer"


def answers(endpoint: Endpoint) -> Rows:
    """By status: what is answered, and the codes of problems."""
    told: dict[int, list[str]] = {}
    for status, model in endpoint.answers.items():
        told.setdefault(status, []).append(_link(model) if model else _NO_JSON[status])
    for status, found in refusals(endpoint).items():
        told.setdefault(status, []).append(", ".join(map(code, found)))
    return [
        ["status", "answer, or the problem's code"],
        *([str(status), "; ".join(told[status])] for status in sorted(told)),
    ]


_NO_JSON: Final = {
    200: "the file",
    206: "the part of the file that `Range` asks for",
    302: "where the file is",
    304: "nothing: the file is the one of `If-None-Match`",
}


def _link(model: type[BaseModel]) -> str:
    return f"[{model.__name__}](#{model.__name__.lower()})"


def taken(endpoint: Endpoint) -> list[type[BaseModel]]:
    """The models that an endpoint takes."""
    return [
        model
        for model in (endpoint.body, endpoint.query)
        if isinstance(model, type) and issubclass(model, BaseModel)
    ]


def bodies() -> list[type[BaseModel]]:
    """Every model of JSON, in the order of the module."""
    return [
        thing
        for name, thing in vars(wire).items()
        if isinstance(thing, type)
        and issubclass(thing, BaseModel)
        and thing.__module__ == wire.__name__
        and not name.startswith("_")
    ]


def model_fields(model: type[BaseModel]) -> Rows:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    incoming = not issubclass(model, wire._Out)
    return [
        ["field", "type", "meaning"],
        *(
            [
                code(name) + (" (required)" if incoming and name in required else ""),
                _type(each, schema.get("$defs", {})),
                each.get("description", ""),
            ]
            for name, each in schema["properties"].items()
        ),
    ]


def _type(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        part = parts[name]
        if "enum" in part:
            return ", ".join(map(code, part["enum"]))
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each, parts) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'], parts)}"
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if schema.get("format") == "date-time":
        return "time (ISO 8601)"
    return str(schema["type"])


def problem_codes() -> Rows:
    """Every problem that an endpoint may answer with."""
    met: dict[type[PayfulfillError], None] = {problems.Unauthenticated: None}
    for endpoint in ENDPOINTS:
        met |= dict.fromkeys(endpoint.problems)
    met[problems._Unexpected] = None
    return [
        ["status", "code", "try again", "title"],
        *(
            [
                str(each.status),
                "the decision's" if each is errors.AccessDenied else code(each.code),
                "yes" if each.retryable else "",
                problems.title(each),
            ]
            for each in sorted(met, key=lambda each: (each.status, each.code))
        ),
    ]


def decisions() -> Rows:
    return [
        ["code", "access", "words for the buyer"],
        *(
            [code(each), "yes" if each in ALLOWED else "no", words.replace("{until}", " ...")]
            for each, words in REASONS.items()
        ),
    ]


def findings() -> Rows:
    return [["code", "what was found"], *([code(each), words] for each, words in FINDINGS.items())]


# --- Python ----------------------------------------------------------------------------------


def methods(kind: type) -> Rows:
    """The public methods of a class."""
    return [
        ["call", "what it does"],
        *([_call(name, each), summary(each)] for name, each in _methods(kind)),
    ]


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    for name, each in inspect.getmembers(kind, inspect.isroutine):
        if not name.startswith("_") and name in vars(kind):
            yield name, each


def _call(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    parameters = [
        each.replace(annotation=inspect.Parameter.empty)
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    plain = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    returns = None if isinstance(function, type) else signature.return_annotation
    return code(f"{name}{plain}" + ("" if returns in ("None", None) else f" -> {returns}"))


def arguments(function: Callable[..., Any]) -> Rows:
    """The arguments of a function, or of a class's constructor."""
    told = entries(_constructor(function), "Args")
    rows = []
    for name, each in inspect.signature(function).parameters.items():
        if name == "self":
            continue
        default = "" if each.default is inspect.Parameter.empty else code(_plain(each.default))
        rows.append([code(name), code(each.annotation), default, told[name]])
    return [["argument", "type", "default", "meaning"], *rows]


def _constructor(function: Callable[..., Any]) -> Callable[..., Any]:
    if not isinstance(function, type):
        return function
    made: Callable[..., Any] = inspect.getattr_static(function, "__init__")  # it may be inherited
    return made


def _plain(value: object) -> str:
    if is_dataclass(value) and not isinstance(value, type) and value == type(value)():
        return f"{type(value).__name__}()"
    if inspect.isfunction(value):
        return value.__name__
    return f'"{value}"' if isinstance(value, str) else repr(value)


def attributes(kind: type) -> Rows:
    """The fields of a dataclass."""
    told = entries(kind, "Attributes")
    return [
        ["field", "default", "meaning"],
        *([code(each.name), _default(each), told[each.name]] for each in fields(kind)),
    ]


def _default(each: Any) -> str:
    if each.default_factory is not MISSING:
        return code(f"{each.default_factory.__name__}()")
    if each.default is MISSING:
        return ""
    return code(
        _plain(list(each.default) if isinstance(each.default, (tuple, frozenset)) else each.default)
    )


def options(kind: type) -> Rows:
    """The keys of a TypedDict that may all be left out."""
    told, types = entries(kind, "Attributes"), inspect.get_annotations(kind)
    return [
        ["option", "type", "meaning"],
        *([code(name), code(_written(each)), told[name]] for name, each in types.items()),
    ]


def _written(annotation: Any) -> str:
    return str(getattr(annotation, "__forward_arg__", annotation))


def strategies() -> Rows:
    found = [
        thing
        for name in pricing.__all__
        if isinstance(thing := getattr(pricing, name), type) and name != "PricingStrategy"
    ]
    return [["strategy", "price"], *([_made(each), summary(each)] for each in found)]


def _made(kind: type) -> str:
    return _call(kind.__name__, kind)


def exported() -> Rows:
    """What `payfulfill` itself exports."""
    names = [name for name in payfulfill.__all__ if name != "__version__"]
    return [
        ["name", "what it is"],
        *([code(name), summary(getattr(payfulfill, name))] for name in names),
    ]


def others() -> Rows:
    """What the modules export that are imported by their own names."""
    rows = []
    for module in (stores, stripe, web, testing, webhooks_module):
        for name in module.__all__:
            if name in ("StoreContract", *payfulfill.__all__):
                continue  # the one is imported with pytest alone, the others stand above
            thing = getattr(module, name)
            rows.append([code(f"{module.__name__}.{name}"), summary(thing)])
    rows += [
        [code(f"{router.__module__}.router"), summary(router)],
        [code(f"{blueprint.__module__}.blueprint"), summary(blueprint)],
    ]
    return [["name", "what it is"], *rows]


def commands() -> Rows:
    """The command line."""

    def every(found: Iterable[Command], before: str) -> Iterator[list[str]]:
        for each in found:
            yield [code(f"{before} {each.name}"), each.help]
            yield from every(each.commands, f"{before} {each.name}")

    return [["command", "what it does"], *every(cli.COMMANDS, "payfulfill")]


def error_tree() -> Rows:
    def tree(kind: type[PayfulfillError], depth: int) -> Iterator[list[str]]:
        own = "the decision's" if kind is errors.AccessDenied else code(kind.code)
        yield [
            "&nbsp;" * 4 * depth + code(kind.__name__),
            own,
            str(kind.status),
            kind.audience + (", try again" if kind.retryable else ""),
        ]
        for branch in kind.__subclasses__():
            if branch.__module__ == errors.__name__:
                yield from tree(branch, depth + 1)

    return [["error", "code", "HTTP", "who acts"], *tree(PayfulfillError, 0)]


# --- Test cards ------------------------------------------------------------------------------


def cards() -> Rows:
    """The cards of the United States, and those that ask."""
    rows = [[_numbers(each), _names(each), outcome(each)] for each in CARDS if _is_plain(each)]
    return [["number", "in the API", "what happens"], *rows]


def foreign_cards() -> Rows:
    rows = [
        [each.country + (f", {each.funding}" if each.funding != "credit" else ""), _numbers(each)]
        for each in CARDS
        if each.number and not _is_plain(each)
    ]
    return [["country", "number"], *rows]


def bank_accounts() -> Rows:
    rows = [[code(each.account), _names(each), outcome(each)] for each in CARDS if each.account]
    return [["account number", "in the API", "what happens"], *rows]


def _is_plain(card: Card) -> bool:
    return bool(card.number) and (card.country == "US" or card.reply is not Reply.YES)


def _numbers(card: Card) -> str:
    return ", ".join(code(each) for each in (card.number, *card.also))


def _names(card: Card) -> str:
    return ", ".join(map(code, card.names))


def outcome(card: Card) -> str:
    """What happens to a payment with it."""
    why = (
        "" if card.decline is None else f": {code(card.decline.decline_code or card.decline.code)}"
    )
    paid = {
        Reply.YES: "paid",
        Reply.NO: f"declined{why}",
        Reply.WHO_ARE_YOU: f"the bank asks first, then {'paid' if not why else 'declined' + why}",
        Reply.WAIT: f"takes days, then {'paid' if not why else 'fails' + why}",
    }[card.reply] + ("; asks first if 3-D Secure is requested" if card.asks_on_request else "")
    return paid + _afterwards(card) if card.number else paid


def _afterwards(card: Card) -> str:
    """What comes of a payment with it."""
    refunds = {
        Refunding.AT_ONCE: "",
        Refunding.LATER: "; a refund is pending, and succeeds later",
        Refunding.FAILS: "; a refund succeeds, and fails later",
    }
    complaints = {
        Complaint.FRAUD: "; disputed: `fraudulent`",
        Complaint.NOT_RECEIVED: "; disputed: `product_not_received`",
        Complaint.INQUIRY: "; an inquiry",
    }
    said = [refunds[card.refunding], *(complaints[each] for each in card.complaints)]
    said += ["; an early fraud warning"] if card.warned else []
    said += ["; a review"] if card.risk == "elevated" else []
    return "".join(said)


# --- The page --------------------------------------------------------------------------------

_CONSTRUCTORS: Final = {
    "PaymentService": payfulfill.PaymentService,
    "WebhookHandler": payfulfill.WebhookHandler,
    "AccessService": payfulfill.AccessService,
    "StripeGateway": StripeGateway,
    "SQLiteStore": SQLiteStore,
    "PostgresStore": PostgresStore,
    "MongoStore": MongoStore,
    "LocalFiles": LocalFiles,
    "SignedUrls": SignedUrls,
}
_SERVICES: Final = ("PaymentService", "WebhookHandler", "AccessService")
_MODELS: Final = (
    "ProductRef", "Product", "Terms", "Period", "Buyer", "Quote", "Payment", "Checkout",
    "Purchase", "AccessDecision", "Download", "DownloadGrant", "LibraryEntry", "WebhookOutcome",
    "Review", "Refund", "Dispute", "Returned",
)  # fmt: skip
_UNTOLD: Final = ("ProductRef", "Period")  # their fields need no words


def tables() -> dict[str, Rows]:
    """Every table of the reference that is made, by its name on the page."""
    made = {
        "endpoints": endpoints(),
        "problems": problem_codes(),
        "decisions": decisions(),
        "findings": findings(),
        "exported": exported(),
        "other names": others(),
        "commands": commands(),
        "errors": error_tree(),
        "methods of Money": methods(payfulfill.Money),
        "strategies": strategies(),
        "cards": cards(),
        "foreign cards": foreign_cards(),
        "bank accounts": bank_accounts(),
        "arguments of router": arguments(router),
        "arguments of blueprint": arguments(blueprint),
        "fields of File": attributes(File),
        "fields of Redirect": attributes(Redirect),
        "fields of Policy": attributes(payfulfill.Policy),
        "options of create": options(Options),
        "fields of CheckoutPages": attributes(CheckoutPages),
    }
    made |= {f"answers of {each.name}": answers(each) for each in ENDPOINTS}
    made |= {f"body {model.__name__}": model_fields(model) for model in bodies()}
    made |= {f"arguments of {name}": arguments(kind) for name, kind in _CONSTRUCTORS.items()}
    made |= {f"methods of {name}": methods(_CONSTRUCTORS[name]) for name in _SERVICES}
    made |= {
        f"fields of {name}": attributes(getattr(models_module, name))
        for name in _MODELS
        if name not in _UNTOLD
    }
    return made


def markdown(rows: Iterable[Iterable[str]]) -> str:
    """A table, without a line break at its end."""
    head, *rest = [list(row) for row in rows]
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def filled(page: str) -> str:
    """The page with its tables as they should be.

    Raises:
        KeyError: it has a table of an unknown name.
    """
    made = tables()

    def table(match: re.Match[str]) -> str:
        name = match[1]
        by_hand = name.endswith("(by hand)")  # checked, and not made
        return match[0] if by_hand else f"<!-- {name} -->\n{markdown(made[name])}\n"

    return re.sub(r"^<!-- (.+) -->\n(?:\|.*\n)*", table, page, flags=re.MULTILINE)


if __name__ == "__main__":
    for name in ("checkout.md", "reference.md", "refunds.md"):
        page = DOCS / name
        page.write_text(filled(page.read_text("utf-8")), "utf-8")
