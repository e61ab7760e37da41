"""The reference model of what goes together: batches of payments, holds captured or voided at once."""

from __future__ import annotations

from typing import Any

from tests.model.reference import DECLINED, Reference


def bundle(model: Reference, asked: dict[str, Any]) -> dict[str, Any]:
    """
    Answer a request of many: ``asked["items"]``, each a single request, ``asked["atomic"]`` or not.

    Items of a batch have keys of their own; of holds taken together only the whole has one.
    """
    known = model.keys.get((asked["caller"], asked["key"]))
    meaning = str(asked["items"]) + str(asked["atomic"]) + asked["verb"]
    if known is not None:
        return known[1] | {"replayed": True} if known[0] == meaning else model._no("idempotency_key_reused")
    answer = _together(model, asked) if asked["atomic"] else _one_by_one(model, asked)
    if answer["status"] < 300 or answer["code"] in DECLINED:
        model.keys[asked["caller"], asked["key"]] = (meaning, answer)
    return answer


def _one_by_one(model: Reference, asked: dict[str, Any]) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    for item in asked["items"]:
        after = item.get("after")
        used = model._key(item) in model.keys
        if after is not None and results[after]["status"] >= 400 and not used:
            results.append(model._no("predecessor_failed"))
        else:
            results.append(model.request({name: value for name, value in item.items() if name != "after"}))
    return {"status": 200, "code": None, "results": results}


def _together(model: Reference, asked: dict[str, Any]) -> dict[str, Any]:
    """Try all on a copy of the world; keep the copy only where every one of them succeeded."""
    trial = _twin(model)
    results = []
    for place, item in enumerate(asked["items"]):
        single = {name: value for name, value in item.items() if name != "after"}
        result = trial.request(single) if "key" in single else trial._execute(single)
        if result["status"] >= 400:
            return _refused(model, trial, place, result)
        results.append(result)
    model.__dict__.update(trial.__dict__)
    return {"status": 200 if asked["verb"] in ("batch", "voids") else 201, "code": None, "results": results}


def _twin(model: Reference) -> Reference:
    twin = Reference()
    twin.now = model.now
    twin.wallets = {name: dict(wallet) for name, wallet in model.wallets.items()}
    twin.system = dict(model.system)
    twin.payments = [dict(payment) for payment in model.payments]
    twin.keys = dict(model.keys)
    return twin


def _refused(model: Reference, trial: Reference, place: int, result: dict[str, Any]) -> dict[str, Any]:
    """Of a decline one FAILED payment stays; nothing of all the others."""
    answer = {name: value for name, value in result.items() if name != "replayed"} | {"place": place}
    if result["code"] in DECLINED and not result.get("replayed"):
        failed = trial.payments[result["payment"]]
        failed["number"] = len(model.payments)
        model.payments.append(failed)
        answer["payment"] = failed["number"]
    return answer
