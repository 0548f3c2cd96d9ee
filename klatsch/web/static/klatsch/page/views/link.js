/** Signing in by a link that the server's own command has printed. It works once. */

import { post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { makeForm } from '../form.js';
import { gate } from '../parts/gate.js';
import { session, signedIn } from '../session.js';
import { t } from '../strings.js';

class SignInLink extends Part {
  /** @type {Record<string, string>} */
  params = {};

  start() {
    const { token } = this.params;
    history.replaceState(null, '', '#/link'); // others may see the address bar
    const { element } = makeForm({
      fields: [],
      submit: session.me ? t('link.switch') : t('login.submit'),
      run: async () => {
        const me = await post('auth/link', { token: token ?? '' });
        const isOther = session.me !== null;
        history.replaceState(null, '', '#/');
        if (isOther) location.reload(); // nothing of the other person's stays
        else signedIn(me);
      },
      after: session.me ? [el('a', { class: 'button quiet', href: '#/' }, t('link.stay'))] : [],
    });
    const text = session.me ? t('link.already', { user: session.me.username }) : t('link.text');
    fill(this, gate({ heading: t('link.heading'), body: [el('p', {}, text), element] }));
    if (token && !session.me) element.requestSubmit();
  }
}

customElements.define('k-link', SignInLink);
