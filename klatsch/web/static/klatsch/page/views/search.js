/** Searching messages by their words, in all conversations. */

import { Part, el, fill } from '../element.js';
import { icon } from '../icons.js';
import { isComposing } from '../keys.js';
import { fillLoaded } from '../loading.js';
import { phrasesOf, piecesOf } from '../logic/found.js';
import { plainLine } from '../logic/markdown.js';
import { hrefOf } from '../logic/routes.js';
import { exactly, shortly } from '../logic/times.js';
import { avatar } from '../parts/avatar.js';
import { Search } from '../search.js';
import { session } from '../session.js';
import { t } from '../strings.js';

const WORDS_MOST = 200; // characters, as the server takes

class SearchView extends Part {
  /** @type {Record<string, string>} */
  params = {};
  /** @type {Search | null} */
  #search = null;
  /** @type {Map<string, HTMLElement>} By message. */
  #rows = new Map();
  #frame = 0;

  start() {
    this.className = 'panel';
    this.field = el('input', { type: 'search', id: 'search-words', maxlength: WORDS_MOST, autocomplete: 'off', dir: 'auto', 'aria-describedby': 'search-hint' });
    this.said = el('p', { class: 'sub', role: 'status' });
    this.content = el('div');
    fill(this,
      el('header', { class: 'panel-head' },
        el('a', { class: 'icon-button only-narrow', href: '#/', 'aria-label': t('conversation.back'), title: t('conversation.back') }, icon('back')),
        el('h1', { tabindex: -1 }, t('search.title'))),
      el('form', { class: 'field', role: 'search', onsubmit: (/** @type {Event} */ event) => this.#submit(event) },
        el('label', { for: 'search-words' }, t('search.words')),
        el('div', { class: 'search-line' }, this.field, el('button', { class: 'button primary' }, t('search.submit'))),
        el('p', { id: 'search-hint', class: 'hint' }, t('search.hint'))),
      this.said, this.content);
    for (const type of ['messages', 'list', 'left']) this.listen(session.store, type, () => this.#soon());
    this.listen(session.store, 'restarted', () => this.#enter());
    this.listen(this, 'keydown', (event) => this.#move(event));
    this.#enter(session.store.search);
  }

  end() {
    cancelAnimationFrame(this.#frame);
  }

  /** @param {Record<string, string>} params */
  paramsChanged(params) {
    this.params = params;
    this.#enter(session.store.search);
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const words = this.field?.value.trim() ?? '';
    const href = words ? hrefOf('search', words) : '#/search';
    if (location.hash === href) this.#enter();
    else location.hash = href;
  }

  /** Shows what the address says. @param {Search | null} [kept] what one may come back to */
  #enter(kept = null) {
    const words = (this.params.words ?? '').trim();
    const isBack = kept?.words === words && kept.isKept;
    this.#search = isBack ? kept : words ? new Search(words, session.store) : null;
    if (this.#search) session.store.search = this.#search;
    this.#rows.clear();
    this.list = el('ul', { class: 'rows', 'aria-label': t('search.results') });
    this.rest = el('div', { class: 'list-rest' });
    fill(/** @type {Element} */ (this.content), this.list, this.rest); // what is under way for the elements before comes too late
    if (this.field) this.field.value = words;
    dispatchEvent(new CustomEvent('klatsch:title', { detail: words ? t('search.of', { words }) : t('search.title') }));
    this.#render();
    this.field?.focus();
    if (this.#search?.hasBegun) this.#comeBack(this.#search);
    else if (this.#search) this.#more();
  }

  /** @param {Search} search */
  #comeBack(search) {
    fill(/** @type {Element} */ (this.rest), this.#button(search));
    const link = this.#rows.get(search.opened ?? '')?.querySelector('a');
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: 'center' });
  }

  async #more() {
    const [search, rest] = [this.#search, this.rest];
    if (!search || !rest) return;
    const count = this.#rows.size;
    const hadFocus = rest.contains(document.activeElement);
    await fillLoaded(rest, () => search.more(), () => {
      this.#render();
      search.findTitles().then(() => this.#soon());
      return [this.#button(search)];
    });
    if (!hadFocus || rest !== this.rest || document.activeElement !== document.body) return;
    ([...this.#rows.values()][count] ?? rest).querySelector(/** @type {'a'} */ ('a, button'))?.focus(); // the button that had the focus has gone
  }

  /** @param {Search} search */
  #button({ next }) {
    if (next === null) return null;
    return el('button', { class: 'button', type: 'button', onclick: () => this.#more() }, t(this.#rows.size > 0 ? 'loading.more' : 'search.older'));
  }

  #soon() {
    cancelAnimationFrame(this.#frame);
    if (this.isConnected) this.#frame = requestAnimationFrame(() => this.#render());
  }

  #render() {
    const search = this.#search;
    const found = search?.found ?? [];
    const ids = new Set(found.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      if (row.contains(document.activeElement)) this.field?.focus();
      row.remove();
      this.#rows.delete(id);
    }
    for (const message of found) {
      let row = this.#rows.get(message.id);
      if (!row) {
        this.#rows.set(message.id, (row = el('li', {}, linkTo(message, /** @type {Search} */ (search)))));
        this.list?.append(row);
      }
      updateLink(/** @type {HTMLElement} */ (row.firstElementChild), message, /** @type {Search} */ (search));
    }
    const text = search?.hasBegun ? countText(found.length, search.next === null) : '';
    if (this.said && this.said.textContent !== text) fill(this.said, text);
  }

  /** Arrows go from the field to what was found, and on. @param {KeyboardEvent} event */
  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || isComposing(event)) return;
    const stops = /** @type {HTMLElement[]} */ ([this.field, ...this.querySelectorAll('.found')]);
    const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0 || !stops[at + step]) return;
    event.preventDefault();
    stops[at + step].focus();
  }
}

/** @param {number} count @param {boolean} isAll */
function countText(count, isAll) {
  if (count === 0) return t(isAll ? 'search.none' : 'search.none_yet');
  return t(isAll ? 'search.found' : 'search.found_yet', { count });
}

/** @type {WeakMap<HTMLElement, string>} What each row was made of. */
const made = new WeakMap();

/** @param {any} message @param {Search} search */
function linkTo({ id, conversation }, search) {
  return el('a', { class: 'row found', href: hrefOf('c', conversation, 'm', id, 'found', search.words), onclick: () => (search.opened = id) });
}

/** @param {HTMLElement} link @param {any} message @param {Search} search */
function updateLink(link, message, search) {
  const { sender, receiver, content, sent_at: sentAt } = message;
  const name = search.nameOf(message);
  const date = new Date(sentAt);
  const time = shortly(date, new Date());
  const key = JSON.stringify([name, content, time]);
  if (made.get(link) === key) return;
  made.set(link, key);
  const pieces = piecesOf(plainLine(content), phrasesOf(search.words));
  fill(link, avatar(sender),
    el('span', { class: 'grow' },
      el('span', { class: 'row-head' },
        el('span', { class: 'row-name', dir: 'auto' }, sender === session.me?.username ? t('message.you') : sender),
        el('time', { class: 'row-time', datetime: sentAt, title: exactly(date) }, time)),
      el('span', { class: 'sub found-place', dir: 'auto' }, name && t(receiver ? 'search.with' : 'search.in', { name })),
      el('span', { class: 'found-text', dir: 'auto' }, pieces.map(({ text, isFound }) => (isFound ? el('mark', {}, text) : text)))));
}

customElements.define('k-search', SearchView);
