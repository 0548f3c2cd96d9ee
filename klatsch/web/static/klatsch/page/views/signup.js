/** Making an account. The server says whether its address must be confirmed before it can be used. */

import { ApiError, post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { makeForm } from '../form.js';
import { gate, showDone } from '../parts/gate.js';
import { session, signedIn } from '../session.js';
import { t } from '../strings.js';

class SignUp extends Part {
  start() {
    if (session.me) return location.replace('#/');
    const { element } = makeForm({
      fields: [
        { name: 'username', label: t('signup.username'), hint: t('signup.username_hint'), autocomplete: 'username', most: 64 },
        { name: 'email', label: t('signup.email'), type: 'email', autocomplete: 'email', most: 254 },
        { name: 'password', label: t('signup.password'), hint: t('signup.password_hint'), type: 'password', autocomplete: 'new-password' },
      ],
      submit: t('signup.submit'),
      run: (values) => this.#register(values),
    });
    fill(this, gate({
      heading: t('signup.heading'), body: [element],
      foot: [t('signup.have_account'), ' ', el('a', { href: '#/login' }, t('signup.sign_in'))],
    }));
  }

  /** @param {Record<string, any>} values */
  async #register({ username, email, password }) {
    await post('auth/register', { username, email, password });
    try {
      signedIn(await post('auth/login', { username, password }));
      location.replace('#/');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isConfirmed = error.status !== 401;
      const text = isConfirmed ? t('signup.made') : t('signup.confirm', { email });
      showDone(this, { heading: t('signup.done'), text, link: t('signup.sign_in'), href: '#/login' });
    }
  }
}

customElements.define('k-signup', SignUp);
