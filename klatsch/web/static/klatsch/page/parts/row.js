/** One row of the list of conversations. */

import { el, fill } from '../element.js';
import { icon } from '../icons.js';
import { countOf, isMuted, otherOf } from '../logic/conversations.js';
import { plainLine } from '../logic/markdown.js';
import { hrefOf } from '../logic/routes.js';
import { exactly, shortly } from '../logic/times.js';
import { session } from '../session.js';
import { listOf, t } from '../strings.js';
import { avatar } from './avatar.js';

/** @param {string} id */
export function makeRow(id) {
  return el('li', { class: 'list-row' }, el('a', { href: hrefOf('c', id), class: 'row' }));
}

/** @type {WeakMap<HTMLElement, string>} */
const made = new WeakMap();

/**
 * @param {HTMLElement} row
 * @param {any} conversation
 * @param {{isOpen: boolean, at: number, count: number}} place
 */
export function updateRow(row, conversation, { isOpen, at, count }) {
  const me = session.me?.username ?? '';
  const { store } = session;
  const now = new Date();
  const other = otherOf(conversation, me);
  const isOnline = other ? store.view.isOnline(other) === true : false;
  const muted = isMuted(conversation, now);
  const draft = isOpen ? '' : store.drafts.get(conversation.id).text;
  const typing = store.view.typing(conversation.id);
  const { last_message: last, unread, mentions } = conversation;
  const time = last ? shortly(new Date(last.sent_at), now) : '';
  row.setAttribute('aria-posinset', String(at + 1));
  row.setAttribute('aria-setsize', String(count));
  const link = /** @type {HTMLElement} */ (row.firstElementChild);
  if (isOpen) link.setAttribute('aria-current', 'page');
  else link.removeAttribute('aria-current');
  const name = store.nameOf(conversation);
  const key = JSON.stringify([name, isOnline, muted, draft, typing, last?.id, last?.changed, last?.content, unread, mentions, time]);
  if (made.get(row) === key) return;
  made.set(row, key);
  const hasUnread = countOf(unread) > 0;
  link.classList.toggle('unread', hasUnread && !muted);
  fill(link, avatar(name, { isGroup: conversation.kind === 'group', isOnline }),
    el('span', { class: 'grow' },
      el('span', { class: 'row-head' }, el('span', { class: 'row-name', dir: 'auto' }, name), muted && icon('muted'),
        last && el('time', { class: 'row-time', datetime: last.sent_at, title: exactly(new Date(last.sent_at)) }, time)),
      el('span', { class: 'row-foot' }, preview(conversation, { me, draft, typing }),
        countOf(mentions) > 0 && el('span', { class: 'badge mention' }, '@', el('span', { class: 'visually-hidden' }, t('list.mentions', { count: countOf(mentions) }))),
        hasUnread && el('span', { class: muted ? 'badge quiet' : 'badge' }, el('span', { 'aria-hidden': 'true' }, String(unread)), el('span', { class: 'visually-hidden' }, t('list.unread', { count: countOf(unread) }))))),
    isOnline && el('span', { class: 'visually-hidden' }, t('presence.online')));
}

/** @param {any} conversation @param {{me: string, draft: string, typing: string[]}} more */
function preview({ last_message: last, kind }, { me, draft, typing }) {
  const line = (/** @type {string} */ text, name = '') => el('span', { class: `row-text ${name}`, dir: 'auto' }, text);
  if (typing.length > 0) return line(t('typing.names', { names: listOf(typing), count: typing.length }), 'typing');
  if (draft.trim()) return line(t('list.draft', { text: plainLine(draft) }), 'draft');
  if (!last) return line(t('list.no_message'));
  const text = last.deleted ? t('list.deleted') : plainLine(last.content);
  if (last.sender === me) return line(t('list.you', { text }));
  return line(kind === 'group' ? t('list.other', { name: last.sender, text }) : text);
}
