/** Finding people, to talk with them. */

import { get } from '../api.js';
import { Part, el, fill } from '../element.js';
import { icon } from '../icons.js';
import { hrefOf } from '../logic/routes.js';
import { avatar } from '../parts/avatar.js';
import { session } from '../session.js';
import { t } from '../strings.js';

const PAUSE_MS = 200; // while one types
const SHOWN_MOST = 20;
const LATE_MS = 500;

class People extends Part {
  #asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  start() {
    this.className = 'panel';
    this.field = el('input', { type: 'search', id: 'people-search', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none' });
    this.found = el('ul', { class: 'rows' });
    this.note = el('p', { class: 'sub', role: 'status' });
    fill(this,
      el('header', { class: 'panel-head' },
        el('a', { class: 'icon-button only-narrow', href: '#/', 'aria-label': t('conversation.back'), title: t('conversation.back') }, icon('back')),
        el('h1', { tabindex: -1 }, t('people.heading')),
        el('a', { class: 'button', href: '#/new-group' }, icon('group'), t('people.new_group'))),
      el('div', { class: 'field' }, el('label', { for: 'people-search' }, t('people.search')), this.field),
      this.note, this.found);
    this.listen(this.field, 'input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#search(), PAUSE_MS);
    });
    this.#search();
    this.field.focus();
  }

  async #search() {
    const asked = (this.#asked += 1);
    const wanted = this.field?.value.trim() ?? '';
    const late = setTimeout(() => this.note && fill(this.note, t('list.loading')), LATE_MS);
    try {
      const { results } = await get(`users?limit=${SHOWN_MOST}&search=${encodeURIComponent(wanted)}`, { signal: this.gone });
      if (asked === this.#asked) this.#show(results, wanted);
    } catch (error) {
      if (this.gone.aborted || asked !== this.#asked) return;
      if (this.note) fill(this.note, /** @type {any} */ (error).status === 0 ? t('error.unreachable') : /** @type {Error} */ (error).message);
    } finally {
      clearTimeout(late);
    }
  }

  /** @param {{username: string}[]} people @param {string} wanted */
  #show(people, wanted) {
    const others = people.filter(({ username }) => username !== session.me?.username);
    if (this.note) fill(this.note, others.length === 0 ? t(wanted ? 'people.none' : 'people.nobody', { text: wanted }) : '');
    if (this.found) fill(this.found, others.map(({ username }) => el('li', {}, el('a', { class: 'row', href: hrefOf('with', username) }, avatar(username), el('span', { class: 'grow', dir: 'auto' }, username)))));
  }
}

customElements.define('k-people', People);
