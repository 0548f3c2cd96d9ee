/** The head of a conversation: with whom, who is there, and what one can do with it. */

import { isOfRequest } from '../api.js';
import { el, fill, iconButton } from '../element.js';
import { icon } from '../icons.js';
import { use } from '../loading.js';
import { isMuted, otherOf } from '../logic/conversations.js';
import { plainLine } from '../logic/markdown.js';
import { hrefOf } from '../logic/routes.js';
import { exactly, shortly } from '../logic/times.js';
import { toast } from '../notes.js';
import { session } from '../session.js';
import { listOf, t } from '../strings.js';
import { avatar } from './avatar.js';
import { openAt, openMenu } from './menu.js';

const TYPISTS_MOST = 3;

/** @type {WeakMap<any, string>} What each head was made of. */
const made = new WeakMap();

/** @param {any} view @param {any} conversation undefined before there is one */
export function showHead(view, conversation) {
  const me = session.me?.username ?? '';
  const name = conversation ? session.store.nameOf(conversation) : (view.to ?? '');
  const other = conversation ? otherOf(conversation, me) : view.to;
  const isOnline = other ? session.store.view.isOnline(other) : undefined;
  const muted = conversation && isMuted(conversation, new Date());
  const pins = conversation?.pinned?.length ?? 0;
  const { words } = view.params; // of the search that led here
  const key = JSON.stringify([words, name, other, isOnline, muted, pins, conversation?.member_count, conversation?.description]);
  if (made.get(view.head) === key) return;
  made.set(view.head, key);
  const isGroup = conversation?.kind === 'group';
  const below = isGroup ? t('conversation.members', { count: conversation.member_count }) : isOnline === undefined ? '' : t(isOnline ? 'presence.online' : 'presence.offline');
  const label = el('div', { class: 'grow' },
    el('h1', { tabindex: -1, dir: 'auto', title: name }, name),
    el('p', { class: 'sub' }, muted && el('span', { class: 'muted-sign', title: t('conversation.muted') }, icon('muted')), below, isGroup && conversation.description && ` · ${plainLine(conversation.description)}`));
  fill(view.head,
    words
      ? el('a', { class: 'icon-button', href: hrefOf('search', words), 'aria-label': t('search.back'), title: t('search.back') }, icon('back'))
      : el('a', { class: 'icon-button only-narrow', href: '#/', 'aria-label': t('conversation.back'), title: t('conversation.back') }, icon('back')),
    avatar(name, { isGroup, isOnline }), label,
    pins > 0 && el('button', { type: 'button', class: 'button quiet pins', 'aria-haspopup': 'dialog', onclick: () => showPins(view) }, icon('pin'), String(pins), el('span', { class: 'visually-hidden' }, t('pins.label', { count: pins }))),
    conversation && iconButton('more', t('conversation.actions'), { 'aria-haspopup': 'menu', onclick: (/** @type {any} */ event) => showMenu(conversation, other, event.currentTarget) }));
}

/** Shows that there is no such conversation, and takes the focus there from where one would write. @param {any} view */
export function showMissing(view) {
  made.delete(view.head); // what comes next gets a head of its own
  const heading = el('h1', { tabindex: -1 }, t('missing.heading'));
  fill(view.head, heading);
  fill(view.holder, el('div', { class: 'empty' }, el('p', {}, t('missing.text')), el('a', { class: 'button', href: '#/' }, t('missing.back'))));
  if (view.composer.contains(document.activeElement)) heading.focus();
  view.composer.hidden = true;
}

/** Says who types in a conversation. @param {HTMLElement} line @param {string | null} id */
export function showTypists(line, id) {
  const names = id ? session.store.view.typing(id) : [];
  const text = names.length === 0 ? '' : names.length > TYPISTS_MOST ? t('typing.many') : t('typing.names', { names: listOf(names), count: names.length });
  if (line.textContent !== text) fill(line, text);
}

/** @param {any} conversation @param {string | null} other @param {HTMLElement} button */
function showMenu({ id }, other, button) {
  const conversation = session.store.conversations.get(id);
  const isGroup = conversation.kind === 'group';
  openMenu(button, [
    { label: t(isGroup ? 'conversation.details_group' : 'conversation.details'), icon: 'info', run: () => (location.hash = hrefOf('c', id, 'details')) },
    { label: t(isMuted(conversation, new Date()) ? 'conversation.unmute' : 'conversation.mute'), icon: 'bell', run: () => use(import('../dialogs/mute.js'), ({ openMute }) => openMute(conversation)) },
    !isGroup && other && { label: t('conversation.block', { name: other }), icon: 'block', isDanger: true, run: () => use(import('../dialogs/block.js'), ({ openBlock }) => openBlock(other)) },
  ], t('conversation.actions'));
}

/** @param {any} view */
async function showPins(view) {
  const { id } = view;
  const { rows } = await session.chat.archive.pins(id).catch((/** @type {unknown} */ error) => {
    if (!isOfRequest(error)) throw error;
    toast(t('error.unreachable'));
    return { rows: null };
  });
  const button = view.head.querySelector('.pins'); // the head may have been made again
  if (!rows || view.id !== id || !button?.isConnected) return;
  const panel = el('div', { class: 'pins-panel', popover: 'auto', role: 'dialog', 'aria-label': t('pins.heading') }, el('h2', {}, t('pins.heading')),
    el('ul', { class: 'rows' }, rows.map((/** @type {any} */ message) => el('li', {}, el('button', {
      type: 'button', class: 'row pin-row',
      onclick: () => {
        panel.hidePopover();
        view.jumps.to(message.id, { from: view.log.firstSeen });
      },
    }, el('span', { class: 'grow' }, el('span', { class: 'pin-head' }, el('strong', { dir: 'auto' }, message.sender), el('time', { class: 'sub', title: exactly(new Date(message.sent_at)) }, shortly(new Date(message.sent_at), new Date()))),
      el('span', { class: 'pin-text', dir: 'auto' }, plainLine(message.content))))))));
  openAt(button, panel);
}
