"""Paths of links in e-mails: each hands the proof behind `#` on to a view of the page, which sends it to REST."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from klatsch.core.problem_page import POLICY


def link_page(view: str) -> Callable[[HttpRequest], HttpResponse]:
    """Returns a Django view whose script leads to that view of the page, with the proof of the link."""

    @require_safe
    def answer(request: HttpRequest) -> HttpResponse:
        response = render(request, "klatsch/link.html", {"view": view})
        response["Content-Security-Policy"] = POLICY
        response["Referrer-Policy"] = "no-referrer"
        return response

    return answer


reset = link_page("reset")
confirm = link_page("confirm")
