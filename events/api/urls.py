from django.urls import path

from events.api.views import EventsView
from events.api.webhooks import (
    DeliveriesView,
    DeliveryView,
    EndpointsView,
    EndpointView,
    RedeliverRangeView,
    RedeliverView,
    RotateView,
    TestView,
)

urlpatterns = [
    path("events", EventsView.as_view()),
    path("webhook-endpoints", EndpointsView.as_view()),
    path("webhook-endpoints/<uuid:endpoint_id>", EndpointView.as_view()),
    path("webhook-endpoints/<uuid:endpoint_id>/rotate-secret", RotateView.as_view()),
    path("webhook-endpoints/<uuid:endpoint_id>/test", TestView.as_view()),
    path("webhook-endpoints/<uuid:endpoint_id>/redeliver", RedeliverRangeView.as_view()),
    path("webhook-deliveries", DeliveriesView.as_view()),
    path("webhook-deliveries/<uuid:delivery_id>", DeliveryView.as_view()),
    path("webhook-deliveries/<uuid:delivery_id>/redeliver", RedeliverView.as_view()),
]
