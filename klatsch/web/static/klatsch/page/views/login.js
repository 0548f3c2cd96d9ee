/** Signing in with a name and a password. */

import { post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { makeForm } from '../form.js';
import { gate } from '../parts/gate.js';
import { signedIn } from '../session.js';
import { t } from '../strings.js';

class Login extends Part {
  start() {
    const { element } = makeForm({
      fields: [
        { name: 'username', label: t('login.username'), autocomplete: 'username' },
        { name: 'password', label: t('login.password'), type: 'password', autocomplete: 'current-password' },
      ],
      submit: t('login.submit'),
      run: async (values) => signedIn(await post('auth/login', values)),
      after: [el('a', { class: 'button quiet', href: '#/forgot' }, t('login.forgot'))],
    });
    fill(this, gate({
      heading: t('login.heading'), body: [element],
      foot: [t('login.no_account'), ' ', el('a', { href: '#/signup' }, t('login.sign_up'))],
    }));
  }
}

customElements.define('k-login', Login);
