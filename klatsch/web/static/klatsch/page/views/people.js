/** Finding people, to talk with them. */

import { Part, el, fill } from '../element.js';
import { t } from '../strings.js';

class People extends Part {
  start() {
    fill(this, el('h1', { tabindex: -1 }, t('people.title')));
  }
}

customElements.define('k-people', People);
