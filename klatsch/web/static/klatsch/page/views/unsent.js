/** What one has written and the server does not have: what waits, and what was refused. */

import { Part, el, fill } from '../element.js';
import { icon } from '../icons.js';
import { plainLine } from '../logic/markdown.js';
import { hrefOf } from '../logic/routes.js';
import { exactly, shortly } from '../logic/times.js';
import { session } from '../session.js';
import { t } from '../strings.js';

class Unsent extends Part {
  start() {
    this.className = 'panel';
    this.entries = el('ul', { class: 'rows' });
    this.note = el('p', { class: 'sub' });
    fill(this, el('header', { class: 'panel-head' },
      el('a', { class: 'icon-button only-narrow', href: '#/', 'aria-label': t('conversation.back'), title: t('conversation.back') }, icon('back')),
      el('h1', { tabindex: -1 }, t('unsent.heading'))), this.note, this.entries);
    for (const type of ['outbox', 'list', 'status']) this.listen(session.store, type, () => this.#render());
    this.#render();
  }

  #render() {
    const { store } = session;
    const { entries } = store.outgoing.outbox;
    if (this.note) fill(this.note, t(entries.length === 0 ? 'unsent.none' : 'unsent.text'));
    if (this.entries) fill(this.entries, entries.map((/** @type {any} */ entry) => this.#row(entry)));
  }

  /** @param {import('../logic/kept.js').Entry} entry */
  #row({ client_id, conversation, to, content, at, failed, edits }) {
    const { outgoing, conversations } = session.store;
    const known = conversations.get(conversation ?? '');
    const name = to ?? (known ? session.store.nameOf(known) : t('conversation.title'));
    return el('li', { class: 'row unsent-row' }, icon(failed ? 'alert' : 'clock'),
      el('div', { class: 'grow' },
        el('div', { class: 'row-head' }, el('a', { class: 'row-name', dir: 'auto', href: conversation ? hrefOf('c', conversation) : hrefOf('with', to ?? '') }, name),
          el('time', { class: 'row-time', title: exactly(new Date(at)) }, shortly(new Date(at), new Date()))),
        el('p', { dir: 'auto' }, edits && el('span', { class: 'badge' }, t('unsent.edit')), ' ', plainLine(content)),
        el('p', { class: failed ? 'error' : 'sub' }, failed ? t('message.failed', { reason: failed.detail }) : t('receipt.sending'))),
      failed && el('button', { class: 'button', onclick: () => outgoing.retry(client_id) }, t('message.retry')),
      failed && el('button', { class: 'button quiet', onclick: () => outgoing.drop(client_id) }, t('message.drop')));
  }
}

customElements.define('k-unsent', Unsent);
