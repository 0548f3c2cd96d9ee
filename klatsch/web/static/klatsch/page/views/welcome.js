/** What stands beside the list while no conversation is open. */

import { Part, el, fill } from '../element.js';
import { t } from '../strings.js';

class Welcome extends Part {
  start() {
    fill(this, el('div', { class: 'empty' },
      el('h1', { tabindex: -1 }, t('welcome.heading')),
      el('p', {}, t('welcome.text')),
      el('a', { class: 'button primary', href: '#/people' }, t('welcome.find'))));
  }
}

customElements.define('k-welcome', Welcome);
