"""Amounts in the units that the providers count in."""

from decimal import Decimal

from blocks.provider import Money


def cu(amount: int | str | Decimal) -> Money:
    return Money(amount=Decimal(amount), unit="CU")


def usd(amount: int | str | Decimal) -> Money:
    return Money(amount=Decimal(amount), unit="USD")
