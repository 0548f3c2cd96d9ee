/** The list of one's conversations: only the rows on the screen are in the document, however many there are. */

import { Part, el, fill, iconButton } from '../element.js';
import { icon } from '../icons.js';
import { otherOf } from '../logic/conversations.js';
import { untilMidnight } from '../logic/times.js';
import { toast } from '../notes.js';
import { openMenu } from '../parts/menu.js';
import { makeRow, updateRow } from '../parts/row.js';
import { session, signOut } from '../session.js';
import { t } from '../strings.js';

const ROW_REM = 4.5;
const BEYOND = 6; // rows above and below the screen
const NEAR = 5; // rows before the end of the loaded ones at which more are loaded
const SHOWN = 'klatsch.list'; // when the first conversations stood on the screen, for who measures it

class List extends Part {
  /** @type {Map<string, HTMLElement>} By conversation. */
  #rows = new Map();
  #frame = 0;

  start() {
    const { store } = session;
    this.rows = el('ul', { class: 'list-rows' });
    this.scroller = el('nav', { class: 'list-scroll', 'aria-label': t('list.heading') }, this.rows);
    this.note = el('div', { class: 'list-note' });
    this.unsent = el('a', { class: 'notice unsent', href: '#/unsent', hidden: true });
    fill(this,
      el('header', { class: 'list-head' },
        el('h2', {}, t('list.heading')),
        iconButton('search', t('list.search'), { onclick: () => dispatchEvent(new CustomEvent('klatsch:switch')) }),
        el('a', { class: 'icon-button', href: '#/people', 'aria-label': t('list.new'), title: t('list.new') }, icon('compose')),
        iconButton('more', t('list.more'), { 'aria-haspopup': 'menu', onclick: (/** @type {any} */ event) => this.#menu(event.currentTarget) }),
        el('a', { class: 'list-search', href: '#/search' }, icon('search'), t('search.title'))),
      this.unsent, this.scroller, this.note);
    for (const type of ['list', 'presence', 'outbox', 'restarted']) this.listen(store, type, () => this.#soon());
    this.listen(store, 'messages', () => this.#soon());
    this.listen(window, 'hashchange', () => this.#soon());
    this.listen(window, 'storage', ({ key }) => key?.includes('.draft.') && this.#soon());
    this.listen(window, 'klatsch:draft', () => this.#soon());
    this.listen(this.scroller, 'scroll', () => this.#soon(), { passive: true });
    const sizes = new ResizeObserver(() => this.#soon());
    sizes.observe(this.scroller);
    this.#atMidnight();
    this.gone.addEventListener('abort', () => sizes.disconnect());
    this.#render();
  }

  end() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.midnight);
    session.store?.presence.want('list', []);
  }

  /** @param {HTMLElement} button */
  #menu(button) {
    openMenu(button, [
      { label: t('list.settings'), icon: 'settings', run: () => (location.hash = '#/settings') },
      { label: t('list.invitations'), icon: 'group', run: () => (location.hash = '#/invitations') },
      { label: t('list.keys'), icon: 'keyboard', hint: '?', run: () => dispatchEvent(new CustomEvent('klatsch:keys')) },
      { label: t('list.sign_out'), icon: 'logout', run: () => signOut().catch(() => toast(t('error.unreachable'))) },
    ], t('list.more'));
  }

  /** What came today came yesterday. */
  #atMidnight() {
    this.midnight = setTimeout(() => {
      this.#soon();
      this.#atMidnight();
    }, untilMidnight(new Date()));
  }

  #soon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#render());
  }

  #render() {
    const { store } = session;
    if (!store || !this.isConnected || !this.rows || !this.scroller) return;
    const { all } = store.conversations;
    const height = ROW_REM * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const from = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const seen = Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / height);
    const to = Math.min(all.length, seen + BEYOND);
    this.rows.style.blockSize = `${all.length * height}px`;
    const shown = all.slice(from, to);
    const ids = new Set(shown.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id) || row.contains(document.activeElement)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    const open = location.hash.match(/^#\/c\/([^/]+)/)?.[1];
    for (const [i, conversation] of shown.entries()) {
      let row = this.#rows.get(conversation.id);
      if (!row) this.#rows.set(conversation.id, (row = makeRow(conversation.id)));
      updateRow(row, conversation, { isOpen: conversation.id === open, at: from + i, count: store.hasMore ? -1 : all.length });
      row.style.insetBlockStart = `${(from + i) * height}px`;
      if (this.rows.children[i] !== row) this.rows.insertBefore(row, this.rows.children[i] ?? null);
    }
    const me = session.me?.username ?? '';
    store.presence.want('list', shown.map((one) => otherOf(one, me)).filter(Boolean));
    this.#showNotes(all.length);
    if (all.length > 0 && performance.getEntriesByName(SHOWN).length === 0) performance.mark(SHOWN);
    if (seen >= all.length - NEAR) this.#more();
  }

  #more() {
    const { store } = session;
    if (!store.hasMore || this.#isWaiting) return;
    this.#isWaiting = true;
    const again = () => (this.#isWaiting = false);
    store.loadMore().then(again, () => setTimeout(() => [again(), this.#soon()], 2_000));
  }

  #isWaiting = false;

  /** @param {number} count */
  #showNotes(count) {
    const { store } = session;
    const entries = store.outgoing.outbox.entries;
    const failed = entries.filter((/** @type {any} */ { failed: reason }) => reason).length;
    if (this.unsent) {
      this.unsent.hidden = entries.length === 0 || (failed === 0 && store.isOnline);
      fill(this.unsent, icon(failed > 0 ? 'alert' : 'clock'), el('span', { class: 'grow' }, t(failed > 0 ? 'list.failed' : 'list.waiting', { count: failed || entries.length })));
      this.unsent.classList.toggle('bad', failed > 0);
    }
    const text = count > 0 ? '' : store.hasMore ? t('list.loading') : t('list.empty');
    if (this.note && this.note.textContent !== text) fill(this.note, text);
  }
}

customElements.define('k-list', List);
