/** Asking for a link to a new password. The answer does not tell whether the address has an account. */

import { post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { makeForm } from '../form.js';
import { gate, showDone } from '../parts/gate.js';
import { t } from '../strings.js';

class Forgot extends Part {
  start() {
    const { element } = makeForm({
      fields: [{ name: 'email', label: t('forgot.email'), type: 'email', autocomplete: 'email', most: 254 }],
      submit: t('forgot.submit'),
      run: async ({ email }) => {
        await post('auth/password/reset', { email });
        showDone(this, { heading: t('forgot.done'), text: t('forgot.sent', { email }), link: t('forgot.back'), href: '#/login' });
      },
    });
    fill(this, gate({
      heading: t('forgot.heading'), body: [el('p', {}, t('forgot.text')), element],
      foot: [el('a', { href: '#/login' }, t('forgot.back'))],
    }));
  }
}

customElements.define('k-forgot', Forgot);
