"""Sending: the bubble at once, marks that tell the truth, and what becomes of what the server does not have."""

import re

from playwright.sync_api import Route, WebSocketRoute, expect

from tests.page.people import People, Person
from tests.page.site import Site
from tests.page.steps import bubble, bubbles, choose, composer, open_conversation, receipt, row, texts, write


def members(site: Site, ana: Person, bob: Person, count: int = 2) -> str:
    assert ana.member is not None
    assert bob.member is not None
    return site.talk(ana.member, bob.member, count)


def test_two_people_talk(site: Site, ana: Person, bob: Person) -> None:
    talk = members(site, ana, bob)
    to_bob, to_ana = open_conversation(ana, talk), open_conversation(bob, talk)
    write(to_bob, "Are you there?")
    expect(bubble(to_ana, "Are you there?")).to_be_visible()
    write(to_ana, "Yes.")
    expect(bubble(to_bob, "Yes.")).to_be_visible()
    assert texts(to_bob) == texts(to_ana) == ["message 0", "message 1", "Are you there?", "Yes."]


def test_the_marks_say_sent_then_delivered_then_read(site: Site, ana: Person, bob: Person) -> None:
    talk = members(site, ana, bob)
    to_bob = open_conversation(ana, talk)
    write(to_bob, "first")
    expect(receipt(to_bob, "first")).to_have_class(re.compile("sent"))
    to_ana = bob.open("/")
    expect(receipt(to_bob, "first")).to_have_class(re.compile("delivered"))
    row(to_ana, ana.username).click()
    expect(receipt(to_bob, "first")).to_have_class(re.compile("read"))


def test_a_sent_bubble_is_there_at_once_and_sending_shows_only_after_300_ms(
    site: Site, ana: Person, bob: Person
) -> None:
    talk = members(site, ana, bob)
    page = open_conversation(ana, talk)
    with ana.offline():
        composer(page).fill("at once")
        seen = page.evaluate(
            """() => new Promise((resolve) => {
                const field = document.querySelector('k-composer textarea');
                const began = performance.now();
                field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
                const frames = [];
                const look = () => {
                    const sign = document.querySelector('k-message.waiting .receipt');
                    const isSeen = sign && getComputedStyle(sign).visibility === 'visible';
                    const bubble = document.querySelector('k-message.waiting');
                    frames.push([performance.now() - began, Boolean(bubble), Boolean(isSeen)]);
                    if (isSeen || performance.now() - began > 5000) resolve(frames);
                    else requestAnimationFrame(look);
                };
                requestAnimationFrame(look);
            })"""
        )
        first_bubble = next(frame for frame, (_, bubble_seen, _) in enumerate(seen) if bubble_seen)
        assert first_bubble <= 3
        assert seen[-1][2]
        assert seen[-1][0] >= 290
        assert not any(sign for at, _, sign in seen if at < 290)


def test_what_is_written_offline_waits_is_told_and_goes_in_its_order(site: Site, ana: Person, bob: Person) -> None:
    talk = members(site, ana, bob)
    to_bob, to_ana = open_conversation(ana, talk), open_conversation(bob, talk)
    site.gateway.kill()
    for number in range(3):
        write(to_bob, f"offline {number}")
    expect(receipt(to_bob, "offline 2")).to_have_text("Will be sent later")
    expect(to_bob.locator("k-list .unsent")).to_contain_text("3 messages will be sent later")
    expect(composer(to_bob)).to_be_enabled()
    site.start()
    expect(bubble(to_ana, "offline 2")).to_be_visible()
    expect(receipt(to_bob, "offline 2")).to_have_class(re.compile("sent|delivered|read"))
    assert texts(to_bob)[-3:] == texts(to_ana)[-3:] == ["offline 0", "offline 1", "offline 2"]
    expect(to_bob.locator("k-list .unsent")).to_be_hidden()


def test_what_is_unsent_survives_a_reload_and_has_a_place_to_look_at(site: Site, ana: Person, bob: Person) -> None:
    talk = members(site, ana, bob)
    page = open_conversation(ana, talk)
    page.route_web_socket("**/ws", lambda _: None)  # a server that never answers
    page.reload()
    write(page, "kept over a reload")
    page.reload()
    expect(bubble(page, "kept over a reload")).to_have_class(re.compile("waiting"))
    page.goto(f"{site.origin}/#/unsent")
    expect(page.get_by_role("main").get_by_text("kept over a reload")).to_be_visible()

    other = ana.context.new_page()
    page.close()
    other.goto(f"{site.origin}/#/c/{talk}")
    other.reload()
    expect(receipt(other, "kept over a reload")).to_have_class(re.compile("sent"))
    assert texts(open_conversation(bob, talk)).count("kept over a reload") == 1


def test_an_edit_that_is_not_sent_survives_a_reload(site: Site, ana: Person, bob: Person) -> None:
    talk = members(site, ana, bob)
    page = open_conversation(ana, talk)
    write(page, "a frist text")
    expect(receipt(page, "a frist text")).to_have_class(re.compile("sent"))
    page.route_web_socket("**/ws", lambda _: None)  # a server that never answers
    page.reload()
    choose(page, "a frist text", "Edit")
    composer(page).fill("a first text")
    composer(page).press("Enter")
    expect(bubble(page, "a first text")).to_be_visible()
    page.reload()
    expect(bubble(page, "a first text")).to_be_visible()
    page.goto(f"{site.origin}/#/unsent")
    expect(page.get_by_role("main").get_by_role("listitem")).to_contain_text("Edit a first text")

    other = ana.context.new_page()
    page.close()
    other.goto(f"{site.origin}/#/c/{talk}")
    other.reload()
    expect(bubble(open_conversation(bob, talk), "a first text")).to_contain_text("edited")
    other.goto(f"{site.origin}/#/unsent")
    expect(other.get_by_text("Everything that you have written is sent.")).to_be_visible()


def test_what_has_no_answer_goes_again_by_itself_in_order_under_the_same_name(
    site: Site, ana: Person, bob: Person
) -> None:
    talk = members(site, ana, bob)
    sent: list[str] = []
    sockets: list[WebSocketRoute] = []

    def lose_the_first(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            is_send = '"op":"send"' in str(text)
            if is_send:
                sent.append(str(text))
            if not is_send or len(sent) > 1:
                server.send(text)

        socket.on_message(pass_on)

    ana.page.route_web_socket("**/ws", lose_the_first)
    to_bob, to_ana = open_conversation(ana, talk), open_conversation(bob, talk)
    write(to_bob, "first")
    write(to_bob, "second")
    expect(receipt(to_bob, "first")).to_have_text("Will be sent later")
    expect(to_bob.get_by_role("button", name="Try again")).to_have_count(0)
    sockets[0].close(code=4301)
    expect(bubble(to_ana, "second")).to_be_visible()
    expect(receipt(to_bob, "second")).to_have_class(re.compile("sent|delivered|read"))
    names = [re.findall(r'"client_id":"([^"]+)"', text)[0] for text in sent]
    assert names[0] == names[1]
    assert texts(to_bob)[-2:] == texts(to_ana)[-2:] == ["first", "second"]


def test_a_refused_message_says_why_and_has_a_button_to_send_it_again(site: Site, ana: Person, bob: Person) -> None:
    talk = members(site, ana, bob)
    page = open_conversation(ana, talk)
    bob.ask("PUT", f"blocks/{ana.username}")
    write(page, "refused")
    failed = bubble(page, "refused")
    expect(failed.get_by_role("alert")).to_contain_text("Not sent")
    expect(page.locator("k-list .unsent")).to_contain_text("1 message was not sent")
    bob.ask("DELETE", f"blocks/{ana.username}")
    failed.get_by_role("button", name="Try again").click()
    expect(receipt(page, "refused")).to_have_class(re.compile("sent|delivered"))
    expect(bubbles(page).filter(has_text="refused")).to_have_count(1)


def test_a_draft_is_kept_for_each_conversation_and_shown_in_the_list(
    site: Site, people: People, ana: Person, bob: Person
) -> None:
    carol = people.member()
    to_bob, to_carol = members(site, ana, bob), members(site, ana, carol)
    page = open_conversation(ana, to_bob)
    composer(page).fill("half a sentence for Bob")
    row(page, carol.username).click()
    expect(page).to_have_url(re.compile(to_carol))
    expect(composer(page)).to_have_value("")
    expect(row(page, bob.username)).to_contain_text("Draft: half a sentence for Bob")
    page.reload()
    expect(row(page, bob.username)).to_contain_text("Draft: half a sentence for Bob")
    row(page, bob.username).click()
    expect(composer(page)).to_have_value("half a sentence for Bob")


def test_a_text_goes_only_into_the_conversation_for_which_it_was_written(
    site: Site, people: People, ana: Person, bob: Person
) -> None:
    carol = people.member()
    to_bob, to_carol = members(site, ana, bob), members(site, ana, carol)

    def answer_late(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer)

    ana.context.route(f"**/conversations/{to_carol}/messages*", answer_late)
    page = open_conversation(ana, to_bob)
    page.evaluate(
        """(carol) => {
            const field = document.querySelector('k-composer textarea');
            field.value = 'for Bob alone';
            field.dispatchEvent(new Event('input', { bubbles: true }));
            location.hash = `#/c/${carol}`;
            field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
        }""",
        to_carol,
    )
    expect(page).to_have_url(re.compile(to_carol))
    expect(composer(page)).to_have_value("")
    expect(bubble(open_conversation(bob, to_bob), "for Bob alone")).to_be_visible()
    assert "for Bob alone" not in texts(open_conversation(carol, to_carol))


def test_the_first_message_to_a_person_begins_a_conversation(ana: Person, bob: Person) -> None:
    page = ana.open("/#/people")
    page.get_by_label("Find people").fill(bob.username[:9])
    page.get_by_role("link", name=bob.username).click()
    write(page, "Hello, we have not met.")
    expect(page).to_have_url(re.compile("#/c/"))
    expect(receipt(page, "Hello, we have not met.")).to_have_class(re.compile("sent"))
    to_ana = bob.open("/")
    row(to_ana, ana.username).click()
    expect(bubble(to_ana, "Hello, we have not met.")).to_be_visible()
