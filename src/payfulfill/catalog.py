"""A catalogue for hosts whose products stand in their code."""

from __future__ import annotations

from collections.abc import Iterable

from payfulfill.errors import ConfigurationError
from payfulfill.models import Product, ProductRef


class StaticCatalog:
    """A fixed list of products.

    Raises:
        ConfigurationError: two of them have one name.
    """

    def __init__(self, products: Iterable[Product]) -> None:
        self._products: dict[ProductRef, Product] = {}
        for product in products:
            if product.ref in self._products:
                raise ConfigurationError(f"product {product.ref} is listed twice")
            self._products[product.ref] = product

    def get(self, ref: ProductRef) -> Product | None:
        """The product of that name."""
        return self._products.get(ref)
