"""`payfulfill sandbox trigger`: does it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from functools import reduce

from payfulfill.cli.command import OK, failed, unusable
from payfulfill.cli.trigger import Change
from payfulfill.sandbox.triggers import TRIGGERS, Client, TriggerError, merged, trigger


def run(arguments: argparse.Namespace) -> int:
    """Does as `cli.trigger` lets one ask for. Returns the exit status."""
    if arguments.list:
        for event, steps in TRIGGERS.items():
            print(f"{event:<42}{', '.join(step.name for step in steps)}")
        return OK
    if arguments.event not in TRIGGERS:
        named = f"{arguments.event} can't be triggered" if arguments.event else "name an event"
        return unusable(f"{named}; there are {', '.join(TRIGGERS)}")
    try:
        events = trigger(
            Client(arguments.url),
            arguments.event,
            _together([*arguments.override, *arguments.remove]),
            additions=_together(arguments.add),
            intent=arguments.intent,
            session=arguments.session,
            payment=arguments.payment,
        )
    except ValueError as error:
        return unusable(str(error))
    except TriggerError as error:
        return failed(str(error))
    for each in events:
        print(f"{each['type']:<42}{each['id']}  {each['data']['object']['id']}")
    return OK


def _together(changes: Iterable[Change]) -> Change:
    return reduce(merged, changes, {})
