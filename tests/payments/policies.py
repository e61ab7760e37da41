"""Policies that tests put in place by name."""

from payments.commands import Move


def by_metadata(move: Move) -> str:
    """What the payment's own metadata says: the tests choose."""
    return move.metadata.get("policy", "allow")


def broken(move: Move) -> str:
    raise RuntimeError("the sanction list cannot be reached")


def babbling(move: Move) -> str:
    return "perhaps"
