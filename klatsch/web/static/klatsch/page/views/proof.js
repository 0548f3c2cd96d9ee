/** What the links of e-mails open: a new password, or the confirmation of an address. */

import { post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { makeForm } from '../form.js';
import { toast } from '../notes.js';
import { gate, showDone } from '../parts/gate.js';
import { session } from '../session.js';
import { t } from '../strings.js';

/** Takes the proof of a link out of the address bar, where others might see it. @param {string} path */
const hide = (path) => history.replaceState(null, '', path);

/** @param {Record<string, string>} params */
const isWhole = ({ uid, token }) => Boolean(uid && token);

const incomplete = () => gate({
  heading: t('proof.incomplete'), body: [el('p', {}, t('proof.incomplete_text')), el('a', { class: 'button', href: '#/forgot' }, t('proof.ask'))],
});

const nextOf = () => (session.me ? { link: t('proof.open'), href: '#/' } : { link: t('signup.sign_in'), href: '#/login' });

class Reset extends Part {
  /** @type {Record<string, string>} */
  params = {};

  start() {
    if (!isWhole(this.params)) return void fill(this, incomplete());
    const { uid, token } = this.params;
    hide('#/reset');
    const { element } = makeForm({
      fields: [{ name: 'new_password', label: t('reset.password'), hint: t('signup.password_hint'), type: 'password', autocomplete: 'new-password' }],
      submit: t('reset.submit'),
      run: async ({ new_password }) => {
        await post('auth/password/reset/confirm', { uid, token, new_password });
        if (!session.me) return showDone(this, { heading: t('reset.done'), text: t('reset.done_text'), ...nextOf() });
        hide('#/login');
        dispatchEvent(new CustomEvent('klatsch:signed-out')); // a new password ends all sessions
        toast(t('reset.done_text'));
      },
    });
    fill(this, gate({ heading: t('reset.heading'), body: [element] }));
  }
}

class Confirm extends Part {
  /** @type {Record<string, string>} */
  params = {};

  start() {
    if (!isWhole(this.params)) return void fill(this, incomplete());
    const { uid, token } = this.params;
    hide('#/confirm');
    // By a button: what loads links for a preview must not use them up.
    const { element } = makeForm({
      fields: [],
      submit: t('confirm.submit'),
      run: async () => {
        await post('auth/email/confirm', { uid, token });
        showDone(this, { heading: t('confirm.done'), text: t('confirm.done_text'), ...nextOf() });
      },
    });
    fill(this, gate({ heading: t('confirm.heading'), body: [el('p', {}, t('confirm.text')), element] }));
  }
}

customElements.define('k-reset', Reset);
customElements.define('k-confirm', Confirm);
