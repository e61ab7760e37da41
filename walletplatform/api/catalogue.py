"""``/problems``: what each error code means, at the address that the error's ``type`` names."""

from django.http import HttpRequest, HttpResponse
from rest_framework import serializers

from walletplatform.api.fields import StrictSerializer, TextField
from walletplatform.api.problems import BASE, CATALOGUE, OUTCOMES, Problem
from walletplatform.api.responses import json_response
from walletplatform.api.schema import operation
from walletplatform.api.views import ApiView


class ProblemTypeAnswer(StrictSerializer):
    type = TextField()
    code = TextField()
    status = serializers.IntegerField()
    title = TextField()
    retryable = serializers.BooleanField()
    retry_after = serializers.IntegerField(allow_null=True, help_text="Seconds.")
    outcome = serializers.ChoiceField(OUTCOMES)


class ProblemTypesAnswer(StrictSerializer):
    data = ProblemTypeAnswer(many=True)  # type: ignore[assignment]


def _describe(code: str) -> dict[str, object]:
    kind = CATALOGUE[code]
    return {
        "type": BASE + code,
        "code": code,
        "status": kind.status,
        "title": kind.title,
        "retryable": kind.retryable,
        "retry_after": kind.retry_after,
        "outcome": kind.outcome,
    }


class ProblemsView(ApiView):
    public = True

    @operation("List the error catalogue", answer=ProblemTypesAnswer, public=True)
    def get(self, request: HttpRequest) -> HttpResponse:
        return json_response({"data": [_describe(code) for code in CATALOGUE]})


class ProblemView(ApiView):
    public = True

    @operation("Explain an error code", answer=ProblemTypeAnswer, problems=["not_found"], public=True)
    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        if code not in CATALOGUE:
            raise Problem("not_found", "There is no such error code.")
        return json_response(_describe(code))
