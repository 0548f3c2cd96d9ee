/**
 * The page's frame: it signs in, shows the view of the address, and holds what all views share.
 *
 * How to add a view
 * - Write `views/NAME.js`: a class that extends `Part` (element.js), ends with `customElements.define('k-NAME', …)`, and builds its
 *   DOM in `start()` with `el(tag, attributes, ...children)` and `fill`. `this.listen(target, type, listener)` and `this.gone` (an
 *   AbortSignal) end with its stay. No innerHTML, no inline style, no Shadow DOM.
 * - Add a row to `routes.js`: path, tag, load, the key of its title, `isPublic` for people who are not signed in. The address is
 *   `#` and the path; `hrefOf('settings', 'profile')` makes `#/settings/profile`. The view gets `this.params` (of the path) before
 *   `start()`. If only they change, `paramsChanged(params)` is called where the view has it; else a new element is made.
 * - The document's title comes from the route. A view with a better one fires `klatsch:title` on window with `detail: text`.
 * - The heading of a view is an `h1` with `tabindex="-1"`: it gets the focus when the address changes.
 *
 * What views get: `session` of session.js: `session.me` (the account), `session.chat` (the client library's Chat), `session.store`
 * (conversations and messages: store.js). REST beyond that: `get`, `post`, `put`, `patch`, `del` of api.js, which reject with an
 * ApiError with `fields` (messages by field), `code` and `isTemporary`.
 *
 * Signing in: after a successful login call `signedIn(me)`, to leave `signOut()`; both are in session.js. They end in the event
 * `klatsch:session` on window, and the shell shows what fits.
 *
 * Strings: all text in strings/*.js, used as `t('key', { values })`. `times.js` in logic/ writes dates.
 * What comes from people is text: `el('span', { dir: 'auto' }, name)`; `dir="auto"` on everything that a person has written.
 *
 * Dialogs: `openDialog({ title, body, actions })` of dialog.js. Short notes: `toast(text)` of notes.js, read out politely.
 *
 * CSS: base.css has the tokens (`--surface`, `--text`, `--muted`, `--accent`, `--danger`, `--line`, `--gap`, …) and the classes
 * `button`, `button primary`, `button danger`, `button quiet`, `icon-button`, `field` (label, input, `hint`, `error`), `form`,
 * `panel` (a view's scrolling column), `panel-head`, `card`, `rows` and `row`, `badge`, `avatar`, `empty`, `notice`, `visually-hidden`.
 * A view may have a stylesheet of its own, which index.html names: lengths in rem, logical properties (`margin-inline-start`), touch
 * targets of 2.75rem, no colour but tokens.
 */

import { closeAll } from './dialog.js';
import { Part, el, fill } from './element.js';
import { showKeys, takeKey } from './keys.js';
import { isNotLoaded } from './loading.js';
import { matchRoute } from './logic/routes.js';
import { toast } from './notes.js';
import { countsInTitle, notify, withdrawRead } from './notifying.js';
import { openSwitcher } from './parts/switcher.js'; // at once: what is typed after Ctrl+K goes there
import { LOGIN, NOT_FOUND, ROUTES } from './routes.js';
import { session, startSession } from './session.js';
import { openStorage } from './storage.js';
import { t } from './strings.js';

const WANTED = 'klatsch.wanted'; // the address that somebody wanted who was not signed in
const ofTab = openStorage(() => sessionStorage);
/** As in base.css. */
const NARROW = matchMedia('(max-width: 47.99rem)');

class Shell extends Part {
  /** @type {any} */
  #view = null;
  /** @type {import('./logic/routes.js').Route | null} */
  #route = null;
  #asked = 0;

  start() {
    this.main = el('main', { id: 'main', class: 'shell-main' });
    this.side = el('section', { class: 'shell-side', 'aria-label': t('list.heading'), hidden: true });
    fill(this, el('a', { class: 'skip', href: '#main', onclick: (/** @type {Event} */ event) => this.#skip(event) }, t('shell.skip')),
      this.side, this.main, el('k-notes'));
    this.listen(window, 'hashchange', () => this.#show());
    this.listen(NARROW, 'change', () => this.#markMain());
    this.listen(window, 'klatsch:session', ({ detail }) => [this.#sessionChanged(), detail?.isTold && toast(t('shell.signed_out'))]);
    this.listen(window, 'klatsch:title', ({ detail }) => this.#setTitle(detail));
    this.listen(window, 'klatsch:unread', () => [this.#setTitle(this.#title), withdrawRead()]);
    this.listen(window, 'klatsch:switch', () => openSwitcher());
    this.listen(window, 'klatsch:keys', () => showKeys());
    this.listen(document, 'keydown', (event) => takeKey(event));
    for (const type of ['dragover', 'drop', 'paste']) this.listen(document, type, (event) => refuseFiles(event));
    for (const type of ['online', 'pageshow']) this.listen(window, type, () => session.store?.wake());
    this.listen(document, 'visibilitychange', () => document.visibilityState === 'visible' && session.store?.wake());
    this.#sessionChanged();
  }

  async #sessionChanged() {
    const isIn = session.me !== null;
    session.store?.addEventListener('arrived', (/** @type {any} */ { detail }) => notify(detail));
    this.classList.toggle('is-signed-in', isIn);
    this.side.hidden = !isIn;
    withdrawRead();
    if (isIn && !this.side.hasChildNodes()) {
      await import('./views/list.js');
      if (!session.me) return; // signed out meanwhile
      fill(this.side, el('k-list'));
    } else if (!isIn) for (const part of [this.side, this.main]) fill(part);
    this.#route = null;
    await this.#show();
  }

  async #show() {
    const asked = (this.#asked += 1);
    closeAll(); // of another view, or of somebody who is not signed in any more
    const { route, params } = matchRoute(ROUTES, location.hash) ?? { route: NOT_FOUND, params: {} };
    if (!session.me && !route.isPublic) {
      ofTab.setItem(WANTED, location.hash);
      location.replace(LOGIN);
      return;
    }
    if (session.me && route.tag === 'k-login') {
      location.replace(ofTab.getItem(WANTED) || '#/');
      ofTab.removeItem(WANTED);
      return;
    }
    this.classList.toggle('is-list', route.path === '/');
    this.#markMain();
    if (this.#view?.paramsChanged && this.#route?.tag === route.tag) {
      this.#view.paramsChanged(params);
      this.#route = route;
      return;
    }
    const view = await this.#make(route);
    if (asked !== this.#asked) return; // another address was asked for meanwhile
    this.#route = route;
    this.#view = Object.assign(view, { params });
    this.#setTitle(t(route.title));
    fill(this.main, view);
    if (!view.contains(document.activeElement)) view.querySelector('h1')?.focus({ preventScroll: true });
  }

  /** @param {import('./logic/routes.js').Route} route */
  async #make(route) {
    try {
      await route.load();
      return document.createElement(route.tag);
    } catch (error) {
      if (!isNotLoaded(error)) throw error;
      const again = el('button', { class: 'button primary', onclick: () => location.reload() }, t('shell.reload'));
      return el('div', { class: 'empty' }, el('h1', { tabindex: -1 }, t('shell.not_loaded')), el('p', {}, t('shell.not_loaded_why')), again);
    }
  }

  #title = '';

  /** @param {string} title */
  #setTitle(title) {
    this.#title = title;
    const unread = countsInTitle() ? (session.store?.unread ?? 0) : 0;
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${title} · ${t('app.name')}`;
  }

  /** The list is the main thing where only it is shown: on narrow screens without an open view. */
  #markMain() {
    const isAlone = NARROW.matches && this.classList.contains('is-list');
    this.side.setAttribute('role', isAlone ? 'main' : 'region');
    this.side.querySelector('h2')?.setAttribute('aria-level', isAlone ? '1' : '2');
    return isAlone ? this.side : this.main;
  }

  /** @param {Event} event */
  #skip(event) {
    event.preventDefault();
    const main = this.#markMain();
    main.setAttribute('tabindex', '-1');
    main.focus();
  }
}

/** Tells that files cannot be sent. Without that, the browser opens a dropped file in the place of the page. @param {any} event */
function refuseFiles(event) {
  const given = event.dataTransfer ?? event.clipboardData;
  if (!given?.types.includes('Files')) return;
  if (event.type === 'paste' && given.getData('text/plain')) return; // a table's cells come as text and as a picture
  event.preventDefault();
  if (event.type !== 'dragover') toast(t('shell.no_files'));
}

startSession();
customElements.define('k-shell', Shell);
