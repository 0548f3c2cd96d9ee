/** An address that leads nowhere. */

import { Part, el, fill } from '../element.js';
import { t } from '../strings.js';

class Missing extends Part {
  start() {
    fill(this, el('div', { class: 'empty' },
      el('h1', { tabindex: -1 }, t('missing.heading')),
      el('p', {}, t('missing.text')),
      el('a', { class: 'button', href: '#/' }, t('missing.back'))));
  }
}

customElements.define('k-missing', Missing);
