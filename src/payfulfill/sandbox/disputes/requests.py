"""The API of disputes. https://docs.stripe.com/api/disputes"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from payfulfill.sandbox import metadata
from payfulfill.sandbox.disputes import evidence
from payfulfill.sandbox.disputes.lifecycle import (
    CLOSED,
    INQUIRIES,
    NEXT,
    Status,
    Step,
    as_of_now,
    find,
    following,
    take,
)
from payfulfill.sandbox.errors import UnexpectedState
from payfulfill.sandbox.operations import Call, Operation
from payfulfill.sandbox.paging import PAGING, page
from payfulfill.sandbox.state import Json, State
from payfulfill.sandbox.updates import update

FORETOLD: Final[Mapping[str, tuple[Step, Step]]] = {
    "winning_evidence": (Step.WIN, Step.DROP),
    "losing_evidence": (Step.LOSE, Step.DROP),
    "escalate_inquiry_evidence": (Step.ESCALATE, Step.ESCALATE),
}
"""What comes of evidence whose `uncategorized_text` is one of these: the step of a dispute, and of
an inquiry. https://docs.stripe.com/testing#disputes"""


def _retrieve(state: State, call: Call) -> Json:
    return find(state, call.object_id)


def _list(state: State, call: Call) -> Json:
    wanted = {name: call.params[name] for name in _FILTERS if name in call.params}

    def matches(dispute: Json) -> bool:
        return all(dispute[name] == value for name, value in wanted.items())

    found = page(_KIND, _PATH, state.disputes, call.params, matches)
    found["data"] = [as_of_now(state, each) for each in found["data"]]
    return found


def _update(state: State, call: Call) -> Json:
    dispute, params = find(state, call.object_id), call.params
    if dispute["status"] in CLOSED:
        raise UnexpectedState("This dispute is already closed")
    changes = _stated(dispute, params)
    if not params.get("submit", "evidence" in params):
        return update(state, "charge.dispute.updated", dispute, changes)
    following(dispute, Step.SUBMIT)  # refused before anything changes
    return submit(state, dispute, changes)


def _stated(dispute: Json, params: Mapping[str, Any]) -> Json:
    changes: Json = {}
    if "metadata" in params:
        changes["metadata"] = metadata.merge(dispute["metadata"], params["metadata"])
    if "intended_submission_method" in params:
        changes["intended_submission_method"] = params["intended_submission_method"]
    if "evidence" in params:
        said = evidence.stated(dispute["evidence"], params["evidence"] or {})
        changes["evidence"] = said
        has = evidence.is_there(said)
        changes["evidence_details"] = {**dispute["evidence_details"], "has_evidence": has}
    return changes


def submit(state: State, dispute: Json, changes: Mapping[str, Any]) -> Json:
    """Sends the evidence to the bank, which may answer by and by.

    Returns:
        The dispute before that.

    Raises:
        UnexpectedState: it isn't the seller's turn.
    """
    details = changes.get("evidence_details", dispute["evidence_details"])
    submitted = {
        **changes,
        "evidence_details": {
            **details,
            "submission_count": details["submission_count"] + 1,
            "submission_method": "manual",
        },
    }
    answer = deepcopy(take(state, dispute, Step.SUBMIT, submitted))
    steps = FORETOLD.get(dispute["evidence"]["uncategorized_text"] or "")
    if steps is not None:
        step = steps[dispute["status"] in INQUIRIES]
        if step in NEXT[Status(dispute["status"])]:
            take(state, dispute, step)
    return answer


def _close(state: State, call: Call) -> Json:
    return take(state, find(state, call.object_id), Step.ACCEPT)


_FILTERS: Final = ("charge", "payment_intent")
_PATH: Final = "/v1/disputes"
_KIND: Final = "dispute"

OPERATIONS: Final = (
    Operation(
        "disputes.list",
        "GET",
        _PATH,
        _list,
        params="DisputeListParams",
        kind=_KIND,
        heeds=(*PAGING, *_FILTERS),
    ),
    Operation(
        "disputes.retrieve",
        "GET",
        f"{_PATH}/{{id}}",
        _retrieve,
        params="DisputeRetrieveParams",
        kind=_KIND,
    ),
    Operation(
        "disputes.update",
        "POST",
        f"{_PATH}/{{id}}",
        _update,
        params="DisputeUpdateParams",
        kind=_KIND,
        heeds=("evidence", "intended_submission_method", "metadata", "submit"),
    ),
    Operation(
        "disputes.close",
        "POST",
        f"{_PATH}/{{id}}/close",
        _close,
        params="DisputeCloseParams",
        kind=_KIND,
    ),
)
