"""The watch of all pages of these tests notices each thing that it is there for."""

from playwright.sync_api import expect

from tests.page.people import Person
from tests.page.watch import Watch


def test_a_broken_policy_a_logged_error_and_another_host_are_noticed(stranger: Person, watch: Watch) -> None:
    page = stranger.open("/#/login")
    expect(page).to_have_title("Sign in · Klatsch")
    assert watch.complaints() == []
    page.evaluate("""() => {
      document.body.setAttribute('style', 'color: red');
      try {
        document.body.innerHTML = 'it was taken';
      } catch {
        // by the policy
      }
      console.error('a fault of the page');
      setTimeout(() => { throw new Error('thrown later'); });
    }""")
    page.evaluate("fetch('http://elsewhere.invalid/').catch(() => {})")
    page.wait_for_timeout(100)

    said = "\n".join(watch.complaints())
    assert "policy: style-src-attr blocked inline" in said
    assert "policy: require-trusted-types-for blocked trusted-types-sink" in said
    assert "a fault of the page" in said
    assert "thrown later" in said
    assert "policy: connect-src blocked http://elsewhere.invalid/" in said
    expect(page).to_have_title("Sign in · Klatsch")
    watch.allow("")


def test_a_person_who_is_offline_reaches_nothing_until_they_are_back(stranger: Person) -> None:
    page = stranger.open("/#/login")
    reach = "fetch('/livez').then(() => true, () => false)"
    with stranger.offline():
        assert not page.evaluate(reach)
    assert page.evaluate(reach)


def test_a_tab_that_sleeps_runs_no_timer(stranger: Person) -> None:
    page = stranger.open("/#/login")
    page.evaluate("""() => {
      globalThis.longestGap = 0;
      let last = performance.now();
      setInterval(() => {
        longestGap = Math.max(longestGap, performance.now() - last);
        last = performance.now();
      }, 5);
    }""")
    with stranger.asleep():
        other = stranger.context.new_page()
        other.evaluate("new Promise((resolve) => setTimeout(resolve, 800))")
        other.close()
    page.wait_for_function("() => longestGap > 700")


def test_a_hidden_tab_is_told_so_and_a_blurred_one_has_no_focus(stranger: Person) -> None:
    page = stranger.open("/#/login")
    with stranger.hidden():
        assert page.evaluate("document.visibilityState") == "hidden"
    assert page.evaluate("document.visibilityState") == "visible"
    with stranger.blurred():
        page.wait_for_function("() => !document.hasFocus()")
    page.wait_for_function("() => document.hasFocus()")
