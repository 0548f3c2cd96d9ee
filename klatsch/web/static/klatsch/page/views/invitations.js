/** The invitations to groups that one has received. */

import { get, post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { textOf } from '../form.js';
import { icon } from '../icons.js';
import { hrefOf } from '../logic/routes.js';
import { toast } from '../notes.js';
import { pagesOf } from '../pages.js';
import { dayTag } from '../parts/time.js';
import { session } from '../session.js';
import { t } from '../strings.js';

class Invitations extends Part {
  start() {
    this.content = el('div', {});
    fill(this, el('div', { class: 'panel' },
      el('header', { class: 'panel-head' },
        el('a', { class: 'icon-button only-narrow', href: '#/', 'aria-label': t('settings.back') }, icon('back')),
        el('h1', { tabindex: -1 }, t('invitations.title'))),
      this.content));
    this.listen(session.store, 'invitation', () => this.#load());
    this.#load();
  }

  #load() {
    if (this.content) fill(this.content, pagesOf((after) => get(`invitations${after}`), (one) => this.#row(one), t('invitations.none')));
  }

  /** @param {any} one */
  #row(one) {
    const row = el('li', { class: 'card invitation' },
      el('h2', { dir: 'auto' }, one.title),
      one.description && el('p', { class: 'text', dir: 'auto' }, one.description),
      el('p', { class: 'sub' }, t('invitations.by', { user: one.invited_by }), ' · ', t('invitations.members', { count: one.member_count }),
        ' · ', t('invitations.until'), ' ', dayTag(one.expires_at)),
      el('div', { class: 'form-actions' },
        el('button', { class: 'button primary', type: 'button', onclick: () => this.#answer(one, 'accept') }, t('invitations.accept')),
        el('button', { class: 'button', type: 'button', onclick: () => this.#answer(one, 'decline') }, t('invitations.decline'))));
    return row;
  }

  /** @param {any} one @param {'accept' | 'decline'} what */
  async #answer(one, what) {
    try {
      await post(`invitations/${encodeURIComponent(one.id)}/${what}`);
    } catch (error) {
      toast(textOf(error));
      return this.#load();
    }
    if (what === 'decline') {
      toast(t('invitations.declined'));
      this.#load();
      return this.querySelector('h1')?.focus();
    }
    if (this.isConnected) location.assign(hrefOf('c', one.conversation));
  }
}

customElements.define('k-invitations', Invitations);
