"""
How an endpoint is told to the OpenAPI schema: shortly, beside the code that it describes.

The schema is generated from the views (drf-spectacular), so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers

from walletplatform.api.fields import CLEAN_TEXT
from walletplatform.api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from walletplatform.api.problems import BASE, CATALOGUE, CONTENT_TYPE, OUTCOMES, problem_bytes


class FieldError(serializers.Serializer[Any]):
    pointer = serializers.CharField(
        allow_blank=True, help_text="JSON pointer into the body, or / and a parameter's name."
    )
    code = serializers.CharField()
    detail = serializers.CharField()


@extend_schema_serializer(component_name="Problem")
class ProblemDocument(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    retryable = serializers.BooleanField()
    outcome = serializers.ChoiceField(OUTCOMES)
    errors = FieldError(many=True, required=False)  # type: ignore[assignment]
    payment_id = serializers.UUIDField(required=False)
    current_state = serializers.CharField(required=False)


def _key_header(*, required: bool) -> OpenApiParameter:
    return OpenApiParameter(
        "Idempotency-Key",
        # A comma belongs into quotes; here is the simple form.
        {"type": "string", "pattern": "^[!#-+\\--~]{1,255}$"},
        "header",
        required=required,
        description="1-255 visible ASCII characters of the client's choice, bare or quoted (RFC 8941).",
    )


KEY_HEADER, REQUIRED_KEY_HEADER = _key_header(required=False), _key_header(required=True)
MATCH_HEADER = OpenApiParameter(
    "If-Match", str, "header", required=True, description="The ETag that the change is based on."
)
LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="Rows in a page.",
)
CURSOR = OpenApiParameter("cursor", {"type": "string", "minLength": 1}, description="next_cursor of the page before.")
PAGED = [LIMIT, CURSOR]

_EVERYWHERE = [
    "bad_request", "validation_error", "method_not_allowed", "not_acceptable", "rate_limited",
    "internal_error", "unavailable",
]  # fmt: skip
_WITH_TOKEN = ["invalid_token", "forbidden"]
_WITH_BODY = ["malformed_json", "payload_too_large", "unsupported_media_type"]


def operation(
    summary: str,
    *,
    answer: Any,
    request: Any = None,
    status: int = 200,
    problems: Sequence[str] = (),
    public: bool = False,
    parameters: Sequence[OpenApiParameter] = (),
    example: dict[str, Any] | None = None,
    description: str | None = None,
    proposal: Any = None,
) -> Callable[[Any], Any]:
    """
    Describe a view's method: what it takes, what it answers, and the problems that are its own.

    ``proposal`` is what it answers, as 202, where a second person must approve what is asked for.

    Those that every method may answer are added, and with ``idempotency_key_required`` the key header
    becomes a required one.
    """
    codes = [*_EVERYWHERE, *([] if public else _WITH_TOKEN), *(_WITH_BODY if request else []), *problems]
    if "idempotency_key_required" in problems:
        parameters = [REQUIRED_KEY_HEADER if known is KEY_HEADER else known for known in parameters]
    responses: dict[Any, Any] = {
        status: answer if isinstance(answer, OpenApiResponse) else OpenApiResponse(answer, "Done")
    }
    if proposal is not None:
        responses[202] = OpenApiResponse(proposal, "Proposed: somebody decides about it")
    for code in dict.fromkeys(codes):
        kind = CATALOGUE[code]
        shown = OpenApiExample(code, value=_example(code), media_type=CONTENT_TYPE, status_codes=[str(kind.status)])
        known = responses.get((kind.status, CONTENT_TYPE))
        examples = [*(known.examples if known else []), shown]
        responses[kind.status, CONTENT_TYPE] = OpenApiResponse(
            ProblemDocument, ", ".join(str(example.name) for example in examples), examples
        )
    return extend_schema(
        summary=summary,
        description=description or summary + ".",
        request={"application/json": request} if request else None,
        responses=responses,
        parameters=list(parameters),
        examples=[OpenApiExample("example", value=example, request_only=True)] if example else None,
    )


def _example(code: str) -> Any:
    return orjson.loads(problem_bytes(code, CATALOGUE[code].title + ".", "0af7651916cd43dd8448eb211c80319c"))


class Schema(AutoSchema):
    """Tags by the first part of the path, and one security scheme: the bearer token."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [] if getattr(self.view, "public", False) else [{"bearer": []}]

    def get_operation_id(self) -> str:
        path = self.path.removeprefix("/api/v1/").replace("{", "").replace("}", "")
        return f"{self.method.lower()}_{path.replace('/', '_').replace('-', '_')}"


def error_catalogue() -> str:
    """The catalogue as a Markdown table, for the schema's description."""
    rows = [
        f"| {kind.status} | `{code}` | {kind.title} | {'yes' if kind.retryable else 'no'} | {kind.outcome} |"
        for code, kind in CATALOGUE.items()
    ]
    head = ["| status | code | when | retryable | outcome |", "|---|---|---|---|---|"]
    return f"Errors are `{CONTENT_TYPE}`; `type` is `{BASE}` and the code.\n\n" + "\n".join(head + rows)


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add what belongs to the whole API: the error catalogue, the bearer token, closed requests."""
    result["info"]["description"] = (
        "Wallets, a double-entry ledger, and payments. Amounts are decimal texts; every request that "
        "moves money takes an Idempotency-Key and may be repeated safely.\n\n" + error_catalogue()
    )
    components = result.setdefault("components", {})
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for methods in result["paths"].values():
        for described in methods.values():
            if "requestBody" in described:
                described["requestBody"]["required"] = True
    for name, schema in components["schemas"].items():
        if name.endswith("Request") and schema.get("type") == "object":
            schema["additionalProperties"] = False
            for field in schema["properties"].values():
                if field.get("type") == "string" and "format" not in field:
                    field.setdefault("pattern", CLEAN_TEXT)
    return result
