"""Who is signed in. Here it is one of three, without a password: put your own in its place."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from payfulfill import Buyer

PEOPLE = {"ada": "Ada Marsh", "bob": "Bob Tanaka", "ines": "Ines Okafor"}
ADMINS = frozenset({"ines"})

router = APIRouter(prefix="/shop")


async def current_buyer(request: Request) -> Buyer | None:
    """What payfulfill asks on each request. The id is your user's, and never changes."""
    person = request.session.get("person")
    return Buyer(person, is_admin=person in ADMINS) if person in PEOPLE else None


async def require_admin(request: Request) -> None:
    """Turns away whoever is no admin, before anything is looked up."""
    person = await current_buyer(request)
    if person is None:
        raise HTTPException(401, "Sign in first.")
    if not person.is_admin:
        raise HTTPException(403, "Only the shop's admins see this.")


class SignIn(BaseModel):
    """Who wants to be signed in."""

    person: str


# A handler that takes JSON can't be called by a form on a foreign page, and the cookie is
# SameSite=Lax besides: that is all the protection from forged requests that this shop needs.
@router.post("/sign-in")
async def sign_in(request: Request, wanted: SignIn) -> dict[str, Any]:
    """Signs somebody in."""
    if wanted.person not in PEOPLE:
        raise HTTPException(404, "Nobody of that name has an account.")
    request.session["person"] = wanted.person
    return await me(request)


@router.post("/sign-out")
async def sign_out(request: Request) -> dict[str, Any]:
    """Signs them out."""
    request.session.clear()
    return await me(request)


@router.get("/me")
async def me(request: Request) -> dict[str, Any]:
    """Who is signed in, and who could be."""
    buyer = await current_buyer(request)
    people = [{"id": id, "name": name, "isAdmin": id in ADMINS} for id, name in PEOPLE.items()]
    return {
        "person": next((each for each in people if buyer and each["id"] == buyer.id), None),
        "people": people,
    }
