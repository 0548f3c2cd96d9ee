/** One's settings, a section at a time. */

import { Part, el, fill } from '../element.js';
import { icon } from '../icons.js';
import { hrefOf } from '../logic/routes.js';
import { section as account } from '../settings/account.js';
import { section as appearance } from '../settings/appearance.js';
import { section as blocked } from '../settings/blocked.js';
import { section as notifications } from '../settings/notifications.js';
import { section as password } from '../settings/password.js';
import { section as profile } from '../settings/profile.js';
import { section as sessions } from '../settings/sessions.js';
import { section as tokens } from '../settings/tokens.js';
import { t } from '../strings.js';

/** @type {Record<string, () => Node>} In the order of the tabs. */
const SECTIONS = { profile, appearance, notifications, password, sessions, tokens, blocked, account };

class Settings extends Part {
  /** @type {Record<string, string>} */
  params = {};

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
  paramsChanged(params) {
    this.params = params;
    this.#show();
    this.content?.querySelector('h2')?.focus();
  }

  #show() {
    const name = Object.hasOwn(SECTIONS, this.params.section ?? '') ? this.params.section : 'profile';
    for (const link of this.links ?? []) {
      if (link.dataset.name === name) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (this.content) fill(this.content, el('h2', { tabindex: -1 }, t(`settings.${name}`)), SECTIONS[name]());
  }
}

customElements.define('k-settings', Settings);
