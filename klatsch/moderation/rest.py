"""Reports over REST. It stands above `klatsch.api`, like the admin's pages, as both use the ports of a request."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import TextField, read_body
from klatsch.api.histories import bytes_response
from klatsch.api.profiles import TEXT
from klatsch.api.routes import route_of
from klatsch.api.schema import operation
from klatsch.moderation.models import DETAIL_CHARACTERS_MOST, Report
from klatsch.moderation.reporting import report_message


class ReportBody(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(Report.Reason.values)
    detail = TextField(
        max_length=DETAIL_CHARACTERS_MOST,
        allow_blank=True,
        allow_null=True,
        default="",
        validators=[TEXT],
        help_text="What moderators should know.",
    )


class ReportSerializer(serializers.Serializer[Any]):
    message = serializers.UUIDField()
    reason = serializers.ChoiceField(Report.Reason.values)
    detail = serializers.CharField()


class MessageReport(APIView):
    @operation(
        "report_message",
        "Report a message",
        "Reports a message that you can read to the moderators, with its present text. Repeating it changes reason and "
        "detail of your report while it is open. 201 is a new report, 200 a repeated one.",
        request=ReportBody,
        answers={200: ReportSerializer, 201: ReportSerializer},
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def post(self, request: Request, message_id: UUID) -> HttpResponse:
        body = read_body(request, ReportBody)
        is_new = report_message(
            route=route_of(request), reporter_id=person_of(request).id, message_id=message_id, **body
        )
        return bytes_response({"message": message_id, **body}, 201 if is_new else 200)


urlpatterns: list[Any] = [path("messages/<uuid:message_id>/report", MessageReport.as_view())]
