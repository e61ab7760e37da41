"""Audit entries of what is added, changed and removed in the console's own forms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest

from walletplatform.audit.actors import of_staff
from walletplatform.audit.trail import record

_BEFORE = "_audit_before"


class AuditedAdmin:
    """
    Mixed into a ``ModelAdmin``, whose forms save in a transaction. ``audited`` are the fields that entries show.

    What the hooks of Django's own log are told goes into the audit trail too, under ``<model>.create``, ``.change``
    and ``.delete``.
    """

    audited: ClassVar[tuple[str, ...]] = ()

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        if change:
            # On the request: one ModelAdmin serves all threads.
            setattr(request, _BEFORE, self.described(type(obj)._default_manager.get(pk=obj.pk)))
        super().save_model(request, obj, form, change)  # type: ignore[misc]

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        entry = super().log_addition(request, obj, message)  # type: ignore[misc]
        self._record(request, obj, "create", None, self.described(obj))
        return entry

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        entry = super().log_change(request, obj, message)  # type: ignore[misc]
        before = getattr(request, _BEFORE, None)
        self._record(request, obj, "change", before, self.described(obj), entry.get_change_message())
        return entry

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        for obj in queryset:
            self._record(request, obj, "delete", self.described(obj), None)
        return super().log_deletions(request, queryset)  # type: ignore[misc]

    def described(self, obj: Model) -> dict[str, Any]:
        """Return what entries show of an object: never a secret."""
        shown = {}
        for name in self.audited:
            field = obj._meta.get_field(name)
            if field.many_to_many:
                shown[name] = sorted(str(one) for one in getattr(obj, name).all())
            else:
                shown[name] = getattr(obj, name)
        return shown

    def _record(
        self,
        request: HttpRequest,
        obj: Model,
        act: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        reason: str = "",
    ) -> None:
        kind = obj._meta.model_name or ""
        record(
            actor=of_staff(request.user),  # type: ignore[arg-type]
            action=f"{kind}.{act}",
            object_type=kind,
            object_id=obj.pk,
            before=before,
            after=after,
            reason=reason,
        )
