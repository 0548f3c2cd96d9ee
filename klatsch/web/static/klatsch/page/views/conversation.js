/** One conversation: its head, its messages and the composer; with a person before there is one, an empty one. */

import { isOfRequest } from '../api.js';
import { Part, el, fill } from '../element.js';
import { isComposing } from '../keys.js';
import { otherOf } from '../logic/conversations.js';
import { plainLine } from '../logic/markdown.js';
import { receiptOf } from '../logic/receipts.js';
import { hrefOf } from '../logic/routes.js';
import { itemsOf, keyOf, withWaiting } from '../logic/timeline.js';
import { untilMidnight } from '../logic/times.js';
import { say, toast } from '../notes.js';
import { act } from '../parts/actions.js';
import { showHead, showMissing, showTypists } from '../parts/head.js';
import { isFinal, Jumps } from '../parts/jumps.js';
import { Mentionable } from '../parts/mentionable.js';
import { listenToComposer } from '../parts/writing.js';
import { Reading } from '../reading.js';
import { session } from '../session.js';
import { t } from '../strings.js';
import '../parts/banner.js';
import '../parts/composer.js';
import '../parts/log.js';

const RETRY_MS = 2_000;

class ConversationView extends Part {
  params = /** @type {Record<string, string>} */ ({});
  /** @type {string | null} */
  id = null;
  /** @type {string | null} The person to whom the first message goes. */
  to = null;
  /** @type {any} */
  history = null;
  /** @type {Reading | null} */
  reading = null;
  #asked = 0;
  #frame = 0;
  #isMissing = false;
  /** @type {string | null} The conversation that goes on with what was written to a person. */
  #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} The next try, where it could not be loaded. */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #catching;

  start() {
    this.head = el('header', { class: 'panel-head conversation-head' });
    this.holder = el('div', { class: 'log-holder' });
    this.typists = el('p', { class: 'typists', 'aria-live': 'polite' });
    this.composer = /** @type {any} */ (document.createElement('k-composer'));
    this.jumps = new Jumps(this);
    fill(this, this.head, document.createElement('k-banner'), el('div', { class: 'log-frame' }, this.holder, this.jumps.buttons), this.typists, this.composer);
    const mentionable = new Mentionable();
    this.composer.people = () => mentionable.people(this.id, this.messages);
    const { store } = session;
    this.listen(store, 'messages', ({ detail }) => this.#changed(detail));
    for (const type of ['outbox', 'list', 'presence', 'status']) this.listen(store, type, () => this.#soon());
    this.listen(store, 'status', () => this.#retry && store.isOnline && this.#load());
    this.listen(store, 'arrived', ({ detail }) => this.#arrived(detail));
    this.listen(store, 'left', ({ detail }) => detail === this.id && this.#leftIt());
    this.listen(store, 'restarted', () => this.#enter({ isAgain: true }));
    this.listen(window, 'focus', () => this.#soon());
    this.listen(document, 'visibilitychange', () => this.#soon());
    this.listen(this, 'keydown', (event) => {
      if (event.key === 'Escape' && !event.defaultPrevented && !isComposing(event)) this.#markAllRead();
    });
    listenToComposer(this);
    this.#enter();
    this.#atMidnight();
  }

  end() {
    this.#asked += 1;
    cancelAnimationFrame(this.#frame);
    for (const timer of [this.midnight, this.#retry, this.#catching]) clearTimeout(timer);
    this.history?.rest();
    this.history = null; // what is under way for it comes too late
    session.store?.presence.want('conversation', []);
    session.chat?.open([]);
  }

  /** @param {Record<string, string>} params */
  paramsChanged(params) {
    const isSame = params.conversation === this.id && this.id !== null;
    this.params = params;
    if (isSame && params.message && this.history) this.jumps.to(params.message); // what is still entered goes there by itself
    else if (isSame) this.#soon(); // its head leads back elsewhere
    else this.#enter({ isAgain: params.conversation === this.#next });
  }

  /** Shows what the address says. @param {{isAgain?: boolean}} [options] `isAgain`: as before, so that the focus stays */
  #enter({ isAgain = false } = {}) {
    const { user = null, conversation: id = null } = this.params;
    this.history?.rest();
    this.history = this.#next = null;
    if (!isAgain || id !== this.id) this.reading = null; // else the line "new" stays
    this.jumps.forget();
    this.#newLog();
    // From here on what one writes goes there, also while it is loaded.
    [this.id, this.to] = [id, id ? null : user];
    this.composer.hidden = this.#isMissing = false;
    this.composer.enter({ key: id ?? `with:${user}`, name: user ?? '' }); // which measures what it shows
    if (!isAgain) this.#focusComposer();
    this.#load();
  }

  #focusComposer() {
    if (!matchMedia('(pointer: coarse)').matches) this.composer.field.focus();
  }

  /** Loads what is shown, and does so again where that may help. */
  async #load() {
    const asked = (this.#asked += 1);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const { store, me } = session;
    const { id, to } = this;
    try {
      const found = to && (await store.findDirect(to));
      if (asked !== this.#asked) return;
      if (to && found) return this.#goOn(to, found);
      const conversation = id ? (store.conversations.get(id) ?? (await store.refresh(id))) : null;
      if (asked !== this.#asked) return;
      if (id && !conversation) return this.#showMissing();
      if (conversation) this.reading ??= new Reading(conversation, me?.username ?? '');
      this.#showFrame(conversation);
      if (conversation) await this.#loadMessages(conversation);
      if (asked === this.#asked) this.#showLoaded();
    } catch (error) {
      if (!isOfRequest(error)) throw error; // a fault of the page: seen in the console
      if (asked === this.#asked) this.#showFailure(error);
    }
  }

  /** There is a conversation with this person: what was written before that is known goes on there. @param {string} user @param {string} id */
  #goOn(user, id) {
    const { drafts } = session.store;
    const draft = this.composer.leave();
    drafts.set(`with:${user}`, { text: '' });
    if (draft.text.trim()) drafts.set(id, draft);
    this.#next = id;
    location.replace(hrefOf('c', id));
  }

  /** @param {any} conversation */
  #showFrame(conversation) {
    const name = conversation ? session.store.nameOf(conversation) : (this.to ?? '');
    const other = conversation ? otherOf(conversation, session.me?.username ?? '') : this.to;
    dispatchEvent(new CustomEvent('klatsch:title', { detail: name }));
    session.store.presence.want('conversation', other ? [other] : []);
    session.chat.open(this.id ? [this.id] : []);
    showHead(this, conversation);
    this.composer.enter({ key: this.id ?? `with:${this.to}`, name });
  }

  /** @param {any} conversation */
  #loadMessages(conversation) {
    this.history = session.store.history(conversation.id);
    session.chat.archive.markers(conversation.id).catch(() => {}); // pushes tell the rest
    return this.jumps.loadFirst(conversation, this.params.message);
  }

  #showLoaded() {
    if (this.log.notice.contains(document.activeElement)) this.#focusComposer();
    this.log.note();
    this.render();
    this.jumps.toFirst(this.params.message);
  }

  /** Loads what may be missing at the end, and tries that as long as one stays. */
  #catchUp() {
    const { history } = this;
    if (!history?.isBehind || !history.atEnd || this.#catching) return;
    const again = () => [(this.#catching = undefined), this.#soon()];
    this.#catching = setTimeout(() => history.resync().then(again, again), RETRY_MS);
  }

  #newLog() {
    this.log = /** @type {any} */ (document.createElement('k-log'));
    fill(this.holder, this.log);
    this.listen(this.log, 'older', () => this.#more('loadOlder', 'atStart'));
    this.listen(this.log, 'newer', () => this.#more('loadNewer', 'atEnd'));
    this.listen(this.log, 'seen', ({ detail }) => this.#seen(detail));
    for (const type of ['click', 'keydown']) this.listen(this.log, type, (event) => act(this, event));
    this.listen(this.log, 'contextmenu', (event) => matchMedia('(pointer: coarse)').matches && act(this, event));
  }

  /** @param {'loadOlder' | 'loadNewer'} load @param {'atStart' | 'atEnd'} limit */
  #more(load, limit) {
    const { history } = this;
    if (!history?.isLoaded || history[limit] || history.isLoading) return;
    history[load]().catch(() => setTimeout(() => this.#soon(), RETRY_MS)); // tried again as long as one looks there
  }

  /** @param {string | null} conversation null where it may be any, as after a `reset` */
  #changed(conversation) {
    if (conversation === null || conversation === this.id || conversation === '') this.#soon();
  }

  #soon() {
    cancelAnimationFrame(this.#frame);
    if (this.isConnected) this.#frame = requestAnimationFrame(() => this.render());
  }

  /** What is shown: what the server has, and what is not sent yet. */
  get messages() {
    const { history } = this;
    const sent = history?.messages ?? [];
    if (history && !history.atEnd) return sent;
    const { me, store } = session;
    const other = this.to ?? otherOf(store.conversations.get(this.id ?? '') ?? { kind: '' }, me?.username ?? '');
    return withWaiting(sent, store.outgoing.of(this.id, other), { me: me?.username ?? '', view: store.view });
  }

  render() {
    const { store } = session;
    if (!store || this.#isMissing || (!this.id && !this.to)) return;
    const conversation = store.conversations.get(this.id ?? '');
    const isLoading = this.log.isNoted || (this.id !== null && !this.history?.isLoaded);
    const begun = this.to && store.conversations.direct(this.to);
    this.#catchUp();
    if (begun) return this.#goOn(/** @type {string} */ (this.to), begun.id);
    this.history?.bound(this.log.isNearEnd);
    const { messages } = this;
    const first = this.reading?.firstNew(messages) ?? null;
    const line = this.reading?.lineBefore(messages, this.history?.atStart ?? true);
    const me = session.me?.username ?? '';
    const markers = store.view.markers(this.id ?? '');
    const isGroup = conversation?.kind === 'group';
    const people = { me, others: Math.max(1, (conversation?.member_count ?? 2) - 1) };
    this.log.render(itemsOf(messages, { newFrom: line ? keyOf(line) : null }), (/** @type {any} */ { message, isFirst, isLast }) => ({
      message, isFirst, isLast, isGroup, me, isOwn: message.sender === me,
      receipt: message.sender === me && !message.deleted ? receiptOf(message, markers, people) : null,
    }), this.history?.atEnd ?? true);
    this.log.setAttribute('aria-busy', String(isLoading));
    const isBeginning = !isLoading && (this.history?.atStart ?? true);
    const name = conversation ? store.nameOf(conversation) : this.to;
    this.log.begin(isBeginning ? t(isGroup ? 'conversation.begin_group' : 'conversation.begin', { name }) : '');
    showHead(this, conversation);
    showTypists(this.typists, this.id);
    this.jumps.show(first);
  }

  /** @param {any} message the last one on the screen */
  #seen(message) {
    if (this.id && this.reading?.isLooking && this.history?.isLoaded) {
      const position = message?.position ?? (message ? this.history.messages.at(-1)?.position : null);
      if (position) session.store.markRead(this.id, position);
    }
    this.jumps.show(this.reading?.firstNew(this.messages) ?? null);
  }

  /** @param {any} message */
  #arrived(message) {
    if (message.conversation !== this.id) return;
    if (!this.log.isFollowing) this.jumps.behind += 1;
    if (!this.reading?.isLooking) this.reading?.miss(message);
    say(t('log.said', { name: message.sender, text: plainLine(message.content) }));
  }

  #markAllRead() {
    const last = session.store.conversations.get(this.id ?? '')?.last_message?.position;
    if (!this.id || !last) return;
    this.reading?.clear();
    session.store.markRead(this.id, last);
    this.jumps.toEnd();
    this.composer.field.focus();
  }

  #leftIt() {
    toast(t('conversation.left'));
    location.hash = '#/';
  }

  #showMissing() {
    this.#isMissing = true;
    showMissing(this);
    dispatchEvent(new CustomEvent('klatsch:title', { detail: t('missing.title') }));
    this.jumps.show(null);
  }

  /** @param {any} error */
  #showFailure(error) {
    if (error.code === 'not_found') return this.#showMissing();
    if (!isFinal(error)) this.#retry = setTimeout(() => this.#load(), RETRY_MS);
    const again = el('button', { type: 'button', class: 'button', onclick: () => this.#load() }, t('conversation.again'));
    if (!this.log.isNoted) this.log.note(el('p', {}, t('conversation.not_loaded')), again);
    this.render();
  }

  #atMidnight() {
    this.midnight = setTimeout(() => {
      this.render();
      this.#atMidnight();
    }, untilMidnight(new Date()));
  }
}

customElements.define('k-conversation', ConversationView);
