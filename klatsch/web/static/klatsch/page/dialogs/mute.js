/** Muting a conversation, for a time or without an end. */

import { del, put } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { toast } from '../notes.js';
import { isMuted } from '../logic/conversations.js';
import { session } from '../session.js';
import { t } from '../strings.js';

const HOUR_MS = 3_600_000;
const SPANS = { hour: HOUR_MS, evening: 8 * HOUR_MS, week: 7 * 24 * HOUR_MS, always: null };

/** @param {{id: string, muted_until: string | null}} conversation */
export function openMute(conversation) {
  const path = `conversations/${encodeURIComponent(conversation.id)}/mute`;
  if (isMuted(/** @type {any} */ (conversation), new Date())) {
    openDialog({
      title: t('mute.on'), body: [el('p', {}, t('mute.on_text'))],
      actions: [{ label: t('mute.end'), kind: 'primary', run: () => change(() => del(path), t('mute.ended')) }],
    });
    return;
  }
  const spans = el('fieldset', { class: 'choices' }, el('legend', {}, t('mute.for')),
    Object.keys(SPANS).map((span, i) => el('label', { class: 'choice' }, el('input', { type: 'radio', name: 'span', value: span, checked: i === 0 }), t(`mute.${span}`))));
  const mute = () => {
    const span = SPANS[/** @type {keyof typeof SPANS} */ (/** @type {HTMLInputElement} */ (spans.querySelector(':checked')).value)];
    return put(path, span === null ? {} : { until: new Date(Date.now() + span).toISOString() });
  };
  openDialog({
    title: t('mute.title'), body: [el('p', {}, t('mute.text')), spans],
    actions: [{ label: t('mute.submit'), kind: 'primary', run: () => change(mute, t('mute.muted')) }],
  });

  /** @param {() => Promise<unknown>} act @param {string} said */
  async function change(act, said) {
    await act();
    await session.store.refresh(conversation.id);
    toast(said);
  }
}
