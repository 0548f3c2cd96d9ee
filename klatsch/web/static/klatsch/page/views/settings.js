/** One's settings, a section at a time. */

import { Part, el, fill } from '../element.js';
import { icon } from '../icons.js';
import { hrefOf } from '../logic/routes.js';
import { t } from '../strings.js';

/** @type {Record<string, () => Promise<{section: () => Node}>>} */
const SECTIONS = {
  profile: () => import('../settings/profile.js'),
  appearance: () => import('../settings/appearance.js'),
  notifications: () => import('../settings/notifications.js'),
  password: () => import('../settings/password.js'),
  sessions: () => import('../settings/sessions.js'),
  tokens: () => import('../settings/tokens.js'),
  blocked: () => import('../settings/blocked.js'),
  account: () => import('../settings/account.js'),
};

class Settings extends Part {
  /** @type {Record<string, string>} */
  params = {};
  #asked = 0;

  start() {
    this.links = Object.keys(SECTIONS).map((name) => el('a', { href: hrefOf('settings', name), data: { name } }, t(`settings.${name}`)));
    this.content = el('section', { class: 'settings-section' });
    fill(this, el('div', { class: 'panel' },
      el('header', { class: 'panel-head' },
        el('a', { class: 'icon-button only-narrow', href: '#/', 'aria-label': t('settings.back') }, icon('back')),
        el('h1', { tabindex: -1 }, t('settings.title'))),
      el('nav', { class: 'tabs', 'aria-label': t('settings.title') }, el('ul', {}, this.links.map((link) => el('li', {}, link)))),
      this.content));
    this.#show();
  }

  /** @param {Record<string, string>} params */
  async paramsChanged(params) {
    this.params = params;
    await this.#show();
    this.content?.querySelector('h2')?.focus();
  }

  async #show() {
    const asked = (this.#asked += 1);
    const name = this.params.section in SECTIONS ? this.params.section : 'profile';
    for (const link of this.links ?? []) {
      if (link.dataset.name === name) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    const { section } = await SECTIONS[name]();
    if (asked !== this.#asked || !this.content) return;
    fill(this.content, el('h2', { tabindex: -1 }, t(`settings.${name}`)), section());
  }
}

customElements.define('k-settings', Settings);
