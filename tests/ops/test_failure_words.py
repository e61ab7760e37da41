"""Every way in which a payment can fail has words that a person on duty understands."""

import pytest

from ops.failures.words import CATEGORIES, WORDS, category_title, words
from payments.models import TransactionFailure
from payments.recording import CATEGORY


def test_each_code_that_a_payment_can_fail_with_has_its_words():
    assert set(CATEGORY) <= set(WORDS)


def test_each_category_has_a_name():
    assert set(CATEGORIES) == set(TransactionFailure.Category.values)


@pytest.mark.parametrize("code", WORDS)
def test_the_words_of_a_code_are_sentences_and_not_the_code(code):
    known = words(code)
    assert "_" not in known.title
    assert known.title[0].isupper()
    for sentence in (known.meaning, known.cause, known.step):
        assert sentence.endswith(".")
        assert "_" not in sentence


def test_a_code_of_a_later_release_is_shown_by_its_name():
    assert words("new_reason").title == "New reason"
    assert category_title("new") == "New"
