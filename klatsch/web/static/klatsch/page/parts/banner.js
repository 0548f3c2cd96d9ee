/** Says that there is no connection, after a while, and for how long. */

import { el, fill, Part } from '../element.js';
import { icon } from '../icons.js';
import { session } from '../session.js';
import { t } from '../strings.js';

const AFTER_MS = 5_000; // a shorter pause is nobody's concern
const TICK_MS = 1_000;

class Banner extends Part {
  start() {
    this.hidden = true;
    this.setAttribute('role', 'status');
    this.className = 'banner';
    this.seconds = el('span', { class: 'banner-seconds', 'aria-hidden': 'true' });
    this.text = el('span');
    fill(this, icon('offline'), this.text, this.seconds, el('button', { type: 'button', class: 'link', onclick: () => session.store?.wake() }, t('banner.now')));
    this.listen(session.store, 'status', () => this.#show());
    const timer = setInterval(() => this.#show(), TICK_MS);
    this.gone.addEventListener('abort', () => clearInterval(timer));
    this.#show();
  }

  #show() {
    const { kind, since } = session.store?.status ?? { kind: 'open', since: 0 };
    const awayMs = Date.now() - since;
    this.hidden = kind === 'open' || awayMs < AFTER_MS;
    if (this.hidden) return;
    const text = t(kind === 'ended' ? 'banner.ended' : navigator.onLine ? 'banner.lost' : 'banner.offline');
    if (this.text?.textContent !== text && this.text) fill(this.text, text);
    const seconds = Math.floor(awayMs / 1000);
    if (this.seconds) fill(this.seconds, seconds < 60 ? t('banner.seconds', { count: seconds }) : t('banner.minutes', { count: Math.floor(seconds / 60) }));
  }
}

customElements.define('k-banner', Banner);
