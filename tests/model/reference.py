"""
The reference model: what the API's pages say about money, as slowly and plainly as it can be said.

It shares nothing with the platform's code. Amounts are Decimals, wallets and payments are dicts. Payments
are numbered as they are made; who drives the model knows which number is which id. Times are seconds.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

LARGEST = Decimal(10**18 - 1)
DECLINED = {"insufficient_funds", "wallet_not_active", "invalid_state", "asset_mismatch", "limit_exceeded"}
STATUS = {
    "not_found": 404, "same_wallet": 422, "amount_scale": 422, "validation_error": 400, "forbidden": 403,
    "insufficient_funds": 422, "asset_mismatch": 422, "wallet_not_active": 409, "invalid_state": 409,
    "limit_exceeded": 422, "idempotency_key_reused": 422, "predecessor_failed": 424,
}  # fmt: skip
SYSTEM = {"topup": "treasury", "bonus": "bonus", "spend": "revenue"}
ONE_STEP = ("transfer", "topup", "bonus", "spend")
LIMITED = ("transfer", "spend", "authorization")


class No(Exception):
    """A refusal: its code, and what its answer says besides."""

    def __init__(self, code: str, **says: Any) -> None:
        super().__init__(code)
        self.code, self.says = code, says


class Reference:
    def __init__(self) -> None:
        self.now = 0.0
        self.wallets: dict[str, dict[str, Any]] = {}
        self.system: dict[tuple[str, str], Decimal] = {}
        self.payments: list[dict[str, Any]] = []
        self.keys: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {}

    def open(self, name: str, *, asset: str, scale: int, owner: str, status: str = "ACTIVE") -> None:
        self.wallets[name] = {
            "asset": asset, "scale": scale, "owner": owner, "status": status, "balance": Decimal(0),
            "held": Decimal(0), "entries": 0, "floor": Decimal(0), "per_payment": None, "per_day": None, "spent": {},
        }  # fmt: skip

    # ---- one request ----------------------------------------------------------------------------------

    def request(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a single request and do what it does; ``asked["key"]`` is its key, with its caller's name."""
        known = self.keys.get(self._key(asked))
        if known is not None:
            same, answer = known
            return answer | {"replayed": True} if same == self._meaning(asked) else self._no("idempotency_key_reused")
        answer = self._execute(asked)
        if answer["status"] < 300 or answer["code"] in DECLINED:
            self.keys[self._key(asked)] = (self._meaning(asked), answer)
        return answer

    def _execute(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            draft = self._draft(asked)
        except No as no:
            return self._no(no.code, **no.says)
        try:
            self._check(asked, draft)
        except No as no:
            failed = self._new(draft, "FAILED")
            return self._no(no.code, payment=failed["number"], **no.says)
        shown = self._do(asked, draft)
        status = 200 if asked["verb"] in ("void", "extend") else 201
        return {"status": status, "code": None, "payment": shown["number"], "shown": self.show(shown)}

    def _key(self, asked: dict[str, Any]) -> tuple[str, str]:
        return asked["caller"], asked["key"]

    def _meaning(self, asked: dict[str, Any]) -> Any:
        return sorted((name, str(value)) for name, value in asked.items() if name != "key")

    def _no(self, code: str, **says: Any) -> dict[str, Any]:
        return {"status": STATUS[code], "code": code, **says}

    # ---- what is asked for ----------------------------------------------------------------------------

    def _draft(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["verb"] == "pay":
            return self._draft_payment(asked)
        if asked["verb"] == "adjust":
            return self._draft_adjustment(asked)
        number = asked["payment"]
        if number is None or number >= len(self.payments):
            raise No("not_found")
        parent = self.payments[number]
        if not self._sees(asked["caller"], parent["asset"]):
            raise No("not_found")
        amount = asked.get("amount")
        if amount is not None:
            amount = self._amount(amount, parent["scale"])
        verb = asked["verb"]
        sides = (parent["sender"], parent["receiver"])
        if verb in ("refund", "reverse") and self._asset(parent["receiver"]) == parent["asset"]:
            sides = (parent["receiver"], parent["sender"])
        if amount is None:
            amount = self._left(parent) if verb in ("refund", "reverse") else self._held(parent)
        extended = verb == "extend" and self._state(parent) == "AUTHORIZED" and self._is_hold(parent)
        if extended and self.now + asked["expires_in"] < parent["expires"]:
            raise No("validation_error")
        kind = {"extend": "extension", "reauthorize": "authorization", "reverse": "reversal"}.get(verb, verb)
        return {
            "kind": kind, "sender": sides[0], "receiver": sides[1], "amount": amount or parent["amount"],
            "parent": number, "asset": parent["asset"], "scale": parent["scale"],
        }  # fmt: skip

    def _draft_payment(self, asked: dict[str, Any]) -> dict[str, Any]:
        kind, caller = asked["kind"], asked["caller"]
        sender, receiver = asked.get("sender"), asked.get("receiver")
        for name, debited in ((sender, True), (receiver, False)):
            if name is None:
                continue
            wallet = self.wallets.get(name)
            if wallet is None or not self._sees(caller, wallet["asset"]):
                raise No("not_found")
            others = caller.startswith("user:") and wallet["owner"] != caller
            if others and (debited or wallet["status"] != "ACTIVE"):
                raise No("not_found")
        if sender == receiver:
            raise No("same_wallet")
        known = self.wallets[sender or receiver]
        asset, scale = known["asset"], known["scale"]
        return {
            "kind": kind, "amount": self._amount(asked["amount"], scale), "parent": None, "asset": asset,
            "scale": scale, "sender": sender or (asset, SYSTEM[kind]), "receiver": receiver or (asset, SYSTEM[kind]),
            "expires_in": asked.get("expires_in"),
        }  # fmt: skip

    def _draft_adjustment(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Sides are wallets, or system accounts as (asset, kind)."""
        sender, receiver = asked["sender"], asked["receiver"]
        if any(isinstance(side, str) and side not in self.wallets for side in (sender, receiver)):
            raise No("not_found")
        if sender == receiver:
            raise No("same_wallet")
        if isinstance(sender, str) and isinstance(receiver, str):
            raise No("validation_error")
        asset = self._asset(sender)
        scale = next(wallet["scale"] for wallet in self.wallets.values() if wallet["asset"] == asset)
        return {
            "kind": "adjustment", "amount": self._amount(asked["amount"], scale), "parent": None, "asset": asset,
            "scale": scale, "sender": sender, "receiver": receiver,
        }  # fmt: skip

    def _asset(self, side: Any) -> str:
        return self.wallets[side]["asset"] if isinstance(side, str) else side[0]

    def _sees(self, caller: str, asset: str) -> bool:
        return not caller.startswith("only:") or caller == f"only:{asset}"

    def _amount(self, text: str, scale: int) -> Decimal:
        amount = Decimal(text)
        if amount != amount.quantize(Decimal(1).scaleb(-scale)):
            raise No("amount_scale")
        if amount.scaleb(scale) > LARGEST:
            raise No("validation_error")
        return amount

    # ---- the rules ------------------------------------------------------------------------------------

    def _check(self, asked: dict[str, Any], draft: dict[str, Any]) -> None:
        verb = asked["verb"]
        if verb in ("pay", "adjust"):
            if self._asset(draft["receiver"]) != draft["asset"]:
                raise No("asset_mismatch")
            self._both_active(draft)
            self._has(draft["sender"], draft["amount"], held=draft["kind"] == "authorization")
            self._within(draft, draft["amount"])
            return
        parent = self.payments[draft["parent"]]
        state = self._state(parent)
        if verb == "refund":
            left = self._left(parent)
            if not (parent["kind"] in ONE_STEP or self._is_hold(parent)):
                raise No("invalid_state", current_state=state)
            if left == 0 or draft["amount"] > left:
                raise No("invalid_state", current_state=state, refundable_amount=left)
        elif verb == "reverse":
            if parent["kind"] not in ONE_STEP or state != "SETTLED" or parent["refunded"] != 0:
                raise No("invalid_state", current_state=state)
        elif not self._is_hold(parent) or state != "AUTHORIZED":
            raise No("invalid_state", current_state=state)
        if verb == "capture" and draft["amount"] > self._held(parent):
            raise No("invalid_state", current_state=state, capturable_amount=self._held(parent))
        if verb == "reauthorize":
            self._check_reauthorization(draft, parent, state)
        if verb in ("capture", "refund", "reverse"):
            self._both_active(draft)
        if verb in ("refund", "reverse"):
            self._has(draft["sender"], draft["amount"])

    def _check_reauthorization(self, draft: dict[str, Any], parent: dict[str, Any], state: str) -> None:
        if draft["amount"] <= parent["captured"]:
            raise No("invalid_state", current_state=state, captured_amount=parent["captured"])
        more = draft["amount"] - parent["authorized"]
        if more > 0:
            self._both_active(draft)
            self._has(draft["sender"], more, held=True)
            self._within(draft, more)

    def _both_active(self, draft: dict[str, Any]) -> None:
        for side in (draft["sender"], draft["receiver"]):
            if isinstance(side, str) and self.wallets[side]["status"] != "ACTIVE":
                raise No("wallet_not_active", current_state=self.wallets[side]["status"])

    def _has(self, side: Any, amount: Decimal, *, held: bool = False) -> None:
        """An overdraft may be paid with; nothing of it is held."""
        if not isinstance(side, str):
            return
        wallet = self.wallets[side]
        floor = Decimal(0) if held else wallet["floor"]
        if wallet["balance"] - wallet["held"] - amount < floor:
            raise No("insufficient_funds")

    def _within(self, draft: dict[str, Any], more: Decimal) -> None:
        """Ask the sender's limits about a payment that adds ``more`` to the day."""
        if draft["kind"] not in LIMITED:
            return
        wallet = self.wallets[draft["sender"]]
        if wallet["per_payment"] is not None and draft["amount"] > wallet["per_payment"]:
            raise No("limit_exceeded", limit="per_payment", allowed=wallet["per_payment"], left=wallet["per_payment"])
        if wallet["per_day"] is not None:
            left = max(wallet["per_day"] - wallet["spent"].get(self._day(), 0), Decimal(0))
            if more > left:
                raise No("limit_exceeded", limit="per_day", allowed=wallet["per_day"], left=left)

    def _count(self, draft: dict[str, Any], more: Decimal) -> None:
        if draft["kind"] in LIMITED and more > 0:
            wallet, day = self.wallets[draft["sender"]], self._day()
            wallet["spent"] = wallet["spent"] | {day: wallet["spent"].get(day, 0) + more}

    def _day(self) -> int:
        return int(self.now // 86_400)

    def _is_hold(self, payment: dict[str, Any]) -> bool:
        return payment["kind"] == "authorization" and payment["parent"] is None

    def _state(self, payment: dict[str, Any]) -> str:
        over = payment["status"] == "AUTHORIZED" and payment["expires"] <= self.now
        return "EXPIRED" if over else payment["status"]

    def _held(self, payment: dict[str, Any]) -> Decimal:
        held = payment["status"] == "AUTHORIZED"
        return payment["authorized"] - payment["captured"] if held else Decimal(0)

    def _left(self, payment: dict[str, Any]) -> Decimal:
        captured = payment["captured"]
        if payment["kind"] in ONE_STEP and payment["status"] == "SETTLED":
            captured = payment["amount"]
        return captured - payment["refunded"]

    # ---- what is done ---------------------------------------------------------------------------------

    def _new(self, draft: dict[str, Any], status: str) -> dict[str, Any]:
        payment = {
            "number": len(self.payments), "kind": draft["kind"], "status": status, "asset": draft["asset"],
            "scale": draft["scale"], "amount": draft["amount"], "sender": draft["sender"],
            "receiver": draft["receiver"], "parent": draft["parent"], "authorized": None, "captured": Decimal(0),
            "refunded": Decimal(0), "expires": None,
        }  # fmt: skip
        self.payments.append(payment)
        return payment

    def _do(self, asked: dict[str, Any], draft: dict[str, Any]) -> dict[str, Any]:
        verb = asked["verb"]
        parent = None if draft["parent"] is None else self.payments[draft["parent"]]
        if verb == "pay":
            self._count(draft, draft["amount"])
        if verb == "pay" and draft["kind"] == "authorization":
            hold = self._new(draft, "AUTHORIZED")
            hold["authorized"], hold["expires"] = draft["amount"], self.now + draft["expires_in"]
            self.wallets[draft["sender"]]["held"] += draft["amount"]
            return hold
        if parent is None:
            return self._post(draft)
        if verb == "void":
            self._end(parent, "VOIDED")
            return parent
        if verb == "extend":
            parent["expires"] = self.now + asked["expires_in"]
            return parent
        if verb == "reauthorize":
            self.wallets[parent["sender"]]["held"] += draft["amount"] - parent["authorized"]
            self._count(draft, draft["amount"] - parent["authorized"])
            parent["authorized"] = draft["amount"]
            return self._new(draft, "SETTLED")
        if verb == "capture":
            self.wallets[parent["sender"]]["held"] -= draft["amount"]
            parent["captured"] += draft["amount"]
            if asked.get("final", True) or self._held(parent) == 0:
                self._end(parent, "SETTLED")
        else:
            parent["refunded"] += draft["amount"]
        return self._post(draft)

    def _post(self, draft: dict[str, Any]) -> dict[str, Any]:
        for side, change in ((draft["sender"], -draft["amount"]), (draft["receiver"], draft["amount"])):
            if isinstance(side, str):
                self.wallets[side]["balance"] += change
                self.wallets[side]["entries"] += 1
            else:
                self.system[side] = self.system.get(side, Decimal(0)) + change
        return self._new(draft, "SETTLED")

    def _end(self, hold: dict[str, Any], status: str) -> None:
        self.wallets[hold["sender"]]["held"] -= self._held(hold)
        hold["status"] = "SETTLED" if hold["captured"] else status

    def sweep(self) -> None:
        for payment in self.payments:
            if payment["status"] == "AUTHORIZED" and self._state(payment) == "EXPIRED":
                self._end(payment, "EXPIRED")

    def show(self, payment: dict[str, Any]) -> dict[str, Any]:
        """What the API shows of a payment, as far as the model knows it."""
        captured = payment["captured"]
        if payment["kind"] in ONE_STEP and payment["status"] == "SETTLED":
            captured = payment["amount"]
        return {
            "kind": payment["kind"], "status": payment["status"], "amount": payment["amount"],
            "authorized_amount": payment["authorized"], "captured_amount": captured,
            "refunded_amount": payment["refunded"], "parent": payment["parent"],
        }  # fmt: skip
