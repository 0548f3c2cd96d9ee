/** Settings: whether this browser notifies of messages while one looks elsewhere, and counts them in the title. */

import { el, fill } from '../element.js';
import { askForNotifications, countInTitle, countsInTitle, stopNotifications, wantsNotifications } from '../notifying.js';
import { t } from '../strings.js';

export function section() {
  const said = el('p', { class: 'error', role: 'alert' });
  const isThere = 'Notification' in window;
  const box = el('input', { id: 'notify', type: 'checkbox', checked: isThere && wantsNotifications(), disabled: !isThere, 'aria-describedby': 'notify-hint', onchange: () => change() });

  async function change() {
    fill(said);
    if (!box.checked) return stopNotifications();
    if (await askForNotifications()) return undefined;
    box.checked = false;
    return fill(said, t('notifications.refused'));
  }

  const title = el('input', { id: 'title-count', type: 'checkbox', checked: countsInTitle(), onchange: () => countInTitle(title.checked) });
  return el('div', { class: 'form' },
    el('div', { class: 'field' },
      el('div', { class: 'choice' }, box, el('label', { for: 'notify' }, t('notifications.want'))),
      el('p', { id: 'notify-hint', class: 'hint' }, isThere ? t('notifications.hint') : t('notifications.none')), said),
    el('div', { class: 'field' },
      el('div', { class: 'choice' }, title, el('label', { for: 'title-count' }, t('notifications.title')))));
}
