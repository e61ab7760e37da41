"""What staff do is in the audit trail's rows of the same plan; what client systems do is not."""

from uuid import UUID

import orjson

from payments.commands import Capture, Signature, Void
from tests.pure.world import act, body, hold, id_of, move, only
from walletplatform.identity.principal import staff

EVE = staff(UUID(int=7))
SIGNED = {"principal": EVE, "signature": Signature("eve", "10.0.0.1", "approval-1")}


def test_an_act_of_staff_is_signed_with_how_it_stood_before_and_after(world):
    payment = id_of(only(world.do(hold("10.00"))))
    assert world.plan.audits == []

    answer = body(only(world.do(act(Capture, payment, "4.00", final=False, **SIGNED))))

    [(who, name, action, about, before, after, _, request, address)] = world.plan.audits
    assert (who, name, action, about) == (EVE.id, "eve", "payment.capture", str(payment))
    assert (request, address) == ("req", "10.0.0.1")
    stood = {"status": "AUTHORIZED", "authorized_amount": "10.00", "captured_amount": "0.00", "refunded_amount": "0.00"}
    assert orjson.loads(before) == stood
    assert orjson.loads(after) == stood | {
        "captured_amount": "4.00", "outcome": "settled", "amount": "4.00 EUR", "payment": answer["id"],
        "approval": "approval-1",
    }  # fmt: skip


def test_what_is_declined_is_signed_as_well(world):
    payment = id_of(only(world.do(hold("10.00"))))
    world.do(act(Void, payment))

    problem = body(only(world.do(act(Void, payment, **SIGNED))))

    [(_, _, action, about, before, after, *_)] = world.plan.audits
    assert (action, about, orjson.loads(before)["status"]) == ("payment.void", str(payment), "VOIDED")
    assert (orjson.loads(after)["outcome"], orjson.loads(after)["payment"]) == ("invalid_state", problem["payment_id"])


def test_what_staff_move_is_about_the_payment_that_it_makes_and_a_repeat_is_not_signed(world):
    asked = move("1.00", key="k", **SIGNED)
    made = body(only(world.do(asked)))
    [(_, _, action, about, before, *_)] = world.plan.audits
    assert (action, about, before) == ("payment.transfer", made["id"], None)
    world.do(asked)
    assert world.plan.audits == []
