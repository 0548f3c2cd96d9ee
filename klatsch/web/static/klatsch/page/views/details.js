/** All about a conversation: the other person, or the group, its members and what one may do with it. */

import { del, get } from '../api.js';
import { openDialog } from '../dialog.js';
import { openBlock } from '../dialogs/block.js';
import { openMute } from '../dialogs/mute.js';
import { Part, el, fill } from '../element.js';
import { icon } from '../icons.js';
import { fillLoaded } from '../loading.js';
import { isMuted, nameOf, otherOf } from '../logic/conversations.js';
import { hrefOf } from '../logic/routes.js';
import { toast } from '../notes.js';
import { groupForm } from '../parts/group_form.js';
import { invitedPart, membersPart } from '../parts/members.js';
import { session } from '../session.js';
import { t } from '../strings.js';

class Details extends Part {
  /** @type {Record<string, string>} */
  params = {};
  /** @type {any} */
  #known = null;

  start() {
    this.content = el('div', { class: 'stack' });
    this.head = el('h1', { tabindex: -1, dir: 'auto' }, t('details.title'));
    fill(this, el('div', { class: 'panel' },
      el('header', { class: 'panel-head' },
        el('a', { class: 'icon-button', href: hrefOf('c', this.params.conversation), 'aria-label': t('details.back') }, icon('back')), this.head),
      this.content));
    this.listen(session.store, 'left', ({ detail }) => detail === this.params.conversation && location.replace('#/'));
    this.listen(session.store, 'list', () => this.#changed());
    this.load();
  }

  get path() {
    return `conversations/${encodeURIComponent(this.params.conversation)}`;
  }

  async load() {
    const { content, head } = this;
    if (!content) return;
    const hadFocus = content.contains(document.activeElement);
    await fillLoaded(content, () => this.#read(), (read) => this.#show(read));
    if (hadFocus && document.activeElement === document.body) head?.focus(); // what had it was replaced
  }

  /** What others have changed is shown too. */
  #changed() {
    const known = session.store?.conversations.get(this.params.conversation);
    if (!this.#known || !known) return;
    const isOther = ['version', 'title', 'description', 'member_count', 'muted_until'].some((name) => known[name] !== this.#known[name]);
    if (isOther && !document.activeElement?.matches('k-details :is(input, textarea)')) this.load(); // not while one types
  }

  async #read() {
    const conversation = await get(this.path);
    const me = session.me?.username ?? '';
    if (conversation.kind === 'group') return { conversation, role: await this.#roleOf(conversation, me), person: null };
    return { conversation, role: null, person: await get(`users/${encodeURIComponent(otherOf(conversation, me) ?? me)}`) };
  }

  /** One's own role: it may stand on a later page of a large group. @param {any} conversation @param {string} me */
  async #roleOf({ members }, me) {
    const isMe = (/** @type {any} */ member) => member.user === me;
    for (let page = { results: members, next: '?limit=100' }; ; page = await get(`${this.path}/members${page.next}`)) {
      const own = page.results.find(isMe);
      if (own || !page.next) return own?.role ?? 'member';
      page.next = new URL(page.next, document.baseURI).search;
    }
  }

  /** @param {{conversation: any, role: string | null, person: any}} read */
  #show({ conversation, role, person }) {
    this.#known = conversation;
    const name = person?.display_name || nameOf(conversation, session.me?.username ?? '');
    fill(/** @type {Element} */ (this.head), name);
    dispatchEvent(new CustomEvent('klatsch:title', { detail: t('details.of', { name }) }));
    const parts = person ? this.#person(person) : this.#group(conversation, /** @type {string} */ (role));
    return [...parts, this.#actions(conversation, role, person)];
  }

  /** @param {any} person */
  #person({ username, about }) {
    return [el('dl', { class: 'facts' },
      el('dt', {}, t('profile.username')), el('dd', {}, username),
      about && [el('dt', {}, t('profile.about')), el('dd', { class: 'text', dir: 'auto' }, about)])];
  }

  /** @param {any} group @param {string} role */
  #group(group, role) {
    const context = { group, path: this.path, role, changed: () => this.load() };
    const about = group.description && el('p', { class: 'text', dir: 'auto' }, group.description);
    return [
      role === 'member' ? about : groupForm(context),
      membersPart(context),
      role === 'member' ? null : invitedPart(context),
    ];
  }

  /** @param {any} conversation @param {string | null} role @param {any} person */
  #actions(conversation, role, person) {
    const isQuiet = isMuted(conversation, new Date());
    const button = (/** @type {string} */ sign, /** @type {string} */ label, /** @type {() => unknown} */ act, kind = '') =>
      el('button', { class: `button ${kind}`, type: 'button', onclick: act }, icon(sign), label);
    return el('section', { class: 'stack' }, el('h2', {}, t('details.actions')), el('div', { class: 'form-actions' },
      button(isQuiet ? 'bell' : 'muted', t(isQuiet ? 'details.unmute' : 'details.mute'), () => openMute(conversation)),
      person && button('block', t('details.block'), () => openBlock(person.username), 'danger'),
      role && button('logout', t('details.leave'), () => this.#leave(conversation), 'danger'),
      role === 'owner' && button('trash', t('details.delete'), () => this.#delete(conversation), 'danger')));
  }

  /** @param {any} group */
  #leave({ title }) {
    this.#confirm({ title: t('leave.title'), text: t('leave.text', { title }), label: t('details.leave'), done: t('leave.done') },
      `${this.path}/members/${encodeURIComponent(session.me?.username ?? '')}`);
  }

  /** @param {any} group */
  #delete({ title }) {
    this.#confirm({ title: t('delete.title'), text: t('delete.text', { title }), label: t('details.delete'), done: t('delete.done') }, this.path);
  }

  /** @param {{title: string, text: string, label: string, done: string}} said @param {string} path */
  #confirm({ title, text, label, done }, path) {
    openDialog({
      title, body: [el('p', { dir: 'auto' }, text)],
      actions: [{
        label, kind: 'danger', run: async () => {
          await del(path);
          toast(done);
          location.replace('#/');
        },
      }],
    });
  }
}

customElements.define('k-details', Details);
