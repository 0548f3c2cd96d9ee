/** Signing in. */

import { ApiError, post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { signedIn } from '../session.js';
import { t } from '../strings.js';

class Login extends Part {
  start() {
    this.name = el('input', { id: 'username', name: 'username', autocomplete: 'username', required: true });
    this.password = el('input', { id: 'password', type: 'password', autocomplete: 'current-password', required: true });
    this.said = el('p', { class: 'error', role: 'alert' });
    fill(this, el('form', { class: 'form card', onsubmit: (/** @type {Event} */ event) => this.#submit(event) },
      el('h1', { tabindex: -1 }, t('login.heading')),
      el('div', { class: 'field' }, el('label', { for: 'username' }, t('login.username')), this.name),
      el('div', { class: 'field' }, el('label', { for: 'password' }, t('login.password')), this.password),
      this.said,
      el('button', { class: 'button primary' }, t('login.submit'))));
  }

  /** @param {Event} event */
  async #submit(event) {
    event.preventDefault();
    try {
      signedIn(await post('auth/login', { username: this.name.value, password: this.password.value }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(this.said, error.status === 0 ? t('error.unreachable') : error.message);
    }
  }
}

customElements.define('k-login', Login);
