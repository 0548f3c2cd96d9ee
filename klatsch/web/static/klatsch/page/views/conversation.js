/** One conversation: its messages and the composer. */

import { Part, el, fill } from '../element.js';
import { session } from '../session.js';
import { t } from '../strings.js';

class ConversationView extends Part {
  params = /** @type {Record<string, string>} */ ({});

  start() {
    this.log = el('div', { role: 'log' });
    fill(this, el('h1', { tabindex: -1 }, t('conversation.title')), this.log);
    this.listen(session.store, 'messages', () => this.#render());
    session.chat.archive.history(this.params.conversation);
  }

  #render() {
    fill(this.log, session.store.view.messages(this.params.conversation).map((/** @type {any} */ one) => el('p', { dir: 'auto' }, one.content)));
  }
}

customElements.define('k-conversation', ConversationView);
