/** The list of one's conversations. */

import { Part, el, fill, iconButton } from '../element.js';
import { nameOf } from '../logic/conversations.js';
import { hrefOf } from '../logic/routes.js';
import { session } from '../session.js';
import { t } from '../strings.js';

class List extends Part {
  start() {
    this.rows = el('ul', { class: 'list-rows' });
    fill(this,
      el('header', { class: 'panel-head' }, el('h2', {}, t('list.heading')),
        el('a', { class: 'icon-button', href: '#/people', 'aria-label': t('list.new') }, '+')),
      el('nav', { 'aria-label': t('list.heading') }, this.rows));
    this.listen(session.store, 'list', () => this.#render());
    this.#render();
  }

  #render() {
    fill(this.rows, session.store.conversations.all.map((/** @type {any} */ one) => el('li', {},
      el('a', { href: hrefOf('c', one.id), class: 'row' }, el('span', { dir: 'auto' }, nameOf(one, session.me?.username ?? ''))))));
  }
}

customElements.define('k-list', List);
