"""What is for sale. Any object with `get(ref)` is a catalogue: yours may read your database."""

from __future__ import annotations

from dataclasses import dataclass

from payfulfill import Money, Period, Product, ProductRef, StaticCatalog, Terms
from payfulfill.pricing import CoursePricing, DesignPricing, FixedPrice, SubscriptionPricing


@dataclass(frozen=True, slots=True)
class Item:
    """A product, and what the shop's pages say of it. Its picture is `art/<id>.svg`."""

    product: Product
    about: str


def _usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


ITEMS = (
    Item(
        Product(
            ref=ProductRef("design", "ridge"),
            title="Fog on the Ridge",
            pricing=DesignPricing(base_price=_usd("49.99"), discounted_price=_usd("39.99")),
        ),
        "Four hills before sunrise, and the fog between them.",
    ),
    Item(
        Product(
            ref=ProductRef("design", "tide"),
            title="Low Tide",
            pricing=FixedPrice(_usd("29.00")),
        ),
        "A flat beach, a long shadow, a sun in no hurry.",
    ),
    Item(
        Product(
            ref=ProductRef("design", "frost"),
            title="First Frost",
            pricing=FixedPrice(_usd("29.00")),
        ),
        "Seven firs on the morning the water froze.",
    ),
    Item(
        Product(
            ref=ProductRef("design", "ferry"),
            title="Night Ferry",
            pricing=FixedPrice(_usd("34.00")),
        ),
        "The last crossing, with all its lights on.",
    ),
    Item(
        Product(
            ref=ProductRef("design", "moon"),
            title="New Moon",
            pricing=FixedPrice(_usd("0")),  # free: no payment form, straight into the library
        ),
        "A postcard for nothing, to try your paper with.",
    ),
    Item(
        Product(
            ref=ProductRef("plan", "month"),
            title="Monthly pass",
            pricing=SubscriptionPricing(price=_usd("18.00"), final_price=_usd("15.00")),
            # A pass is paid once, and does not renew itself. Bought again while it runs, the next
            # one begins when this one ends.
            terms=Terms(period=Period(months=1), download_limit=3, covers=["design"]),
        ),
        "Any three downloads of our posters, for a month.",
    ),
    Item(
        Product(
            ref=ProductRef("course", "screenprint"),
            title="Screen printing at home",
            pricing=CoursePricing(base_price=_usd("79.00")),
        ),
        "Six lessons, from the first frame to a print that you would give away.",
    ),
)

CATALOG = StaticCatalog(item.product for item in ITEMS)
