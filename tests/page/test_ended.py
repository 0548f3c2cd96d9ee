"""A chat that has ended: what is unsent waits, and another chat begins."""

import re

from playwright.sync_api import WebSocketRoute, expect

from tests.page.people import Person
from tests.page.site import Site
from tests.page.steps import bubble, composer, open_conversation, receipt, texts, write


def test_a_message_without_an_answer_waits_while_a_proxy_has_no_server_and_goes_when_it_has_one_again(
    site: Site, ana: Person, bob: Person
) -> None:
    talk = site.talk(ana.signed_in, bob.signed_in)
    page = open_conversation(ana, talk)
    write(page, "before")
    expect(receipt(page, "before")).to_have_class(re.compile("sent|delivered|read"))
    page.route("**/api/v1/me", lambda route: route.fulfill(status=404, body="<html>"))
    with page.expect_response("**/api/v1/me"):  # the library asks why no socket opens, and its chat ends
        site.gateway.kill()
        write(page, "hello?")
    with page.expect_response("**/api/v1/me"):  # the page asks whether the server is there again
        expect(receipt(page, "hello?")).to_have_text("Will be sent later")
        expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    expect(bubble(page, "before")).to_be_visible()
    expect(composer(page)).to_be_enabled()
    site.start()
    page.unroute("**/api/v1/me")
    expect(receipt(page, "hello?")).to_have_class(re.compile("sent|delivered|read"))
    to_ana = open_conversation(bob, talk)
    expect(bubble(to_ana, "hello?")).to_be_visible()
    assert texts(to_ana)[-2:] == ["before", "hello?"]


def test_connect_now_begins_another_chat_where_the_server_has_said_to_stop(
    site: Site, ana: Person, bob: Person
) -> None:
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    ana.page.route_web_socket("**/ws", pass_on)
    page = open_conversation(ana, site.talk(ana.signed_in, bob.signed_in))
    write(page, "before")
    expect(receipt(page, "before")).to_have_class(re.compile("sent|delivered|read"))
    sockets[-1].close(code=4429)
    banner = page.locator("k-banner")
    expect(banner).to_contain_text("The connection has ended.")
    write(page, "after")
    expect(receipt(page, "after")).to_have_text("Will be sent later")
    banner.get_by_role("button", name="Connect now").click()
    expect(receipt(page, "after")).to_have_class(re.compile("sent|delivered|read"))
    expect(banner).to_be_hidden()
    assert texts(page)[-2:] == ["before", "after"]
