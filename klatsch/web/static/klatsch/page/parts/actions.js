/** What one does with a message: by its buttons, its menu and the keyboard. */

import { put } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { emojiName, QUICK } from '../logic/emoji.js';
import { use } from '../loading.js';
import { hrefOf } from '../logic/routes.js';
import { dateOf, exactly, timeOf } from '../logic/times.js';
import { toast } from '../notes.js';
import { session } from '../session.js';
import { t } from '../strings.js';
import { openMenu } from './menu.js';
import { pickEmoji } from './picker.js';
import { renderText } from './text.js';

const ROLES = new Set(['owner', 'admin']);

/**
 * Acts on a click, a key or a long press in the log.
 * @param {any} view the conversation
 * @param {any} event
 */
export function act(view, event) {
  const part = event.target.closest('k-message');
  if (event.type === 'keydown' && event.target === view.log) return enter(view, event);
  if (!part?.shown) return;
  if (event.type === 'keydown') return walk(view, part, event);
  const { message } = part.shown;
  const control = event.target.closest('[data-act]');
  if (event.type === 'contextmenu') {
    event.preventDefault();
    return openActions(view, part);
  }
  if (!control || event.detail > 1) return; // the second click of a double click
  const { act: name, emoji } = control.dataset;
  if (name === 'menu') openActions(view, part);
  else if (name === 'quote') view.jumps.to(message.reply_to, { from: message.id });
  else if (name === 'react') react(message, emoji, !(message.reactions?.[emoji] ?? []).includes(session.me?.username));
  else if (name === 'pick') pickEmoji(control, (chosen) => react(message, chosen, true));
  else if (name === 'versions') showVersions(view, message);
  else if (name === 'retry') session.store.outgoing.retry(message.client_id);
  else if (name === 'drop') session.store.outgoing.drop(message.client_id);
}

/** From the log itself an arrow goes to the last message on the screen. @param {any} view @param {KeyboardEvent} event */
function enter(view, event) {
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
  const id = view.log.lastSeen?.id;
  const part = /** @type {HTMLElement | null} */ (id ? view.log.querySelector(`k-message[data-id="${CSS.escape(id)}"]`) : null);
  if (!part) return;
  event.preventDefault();
  part.focus();
}

/** Arrows go from message to message; Enter opens the menu. @param {any} view @param {any} part @param {KeyboardEvent} event */
function walk(view, part, event) {
  const parts = /** @type {HTMLElement[]} */ ([...view.log.querySelectorAll('k-message')]);
  const at = parts.indexOf(part);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: parts.length - 1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    parts[to]?.focus();
  } else if (event.key === 'Enter' && event.target === part) {
    event.preventDefault();
    openActions(view, part);
  }
}

/** @param {any} view @param {any} part */
function openActions(view, part) {
  const { message, isOwn } = part.shown;
  if (!message.position || message.deleted) return;
  const conversation = session.store.conversations.get(message.conversation);
  const role = conversation?.members.find((/** @type {any} */ { user }) => user === session.me?.username)?.role;
  const mayLead = conversation?.kind === 'direct' || ROLES.has(role);
  const button = part.querySelector('.message-more');
  const run = (/** @type {Promise<unknown>} */ done) => done.catch((error) => toast(error.message || t('error.unknown')));
  openMenu(button, [
    { label: t('message.reply'), icon: 'reply', run: () => view.composer.reply(message) },
    { label: t('message.copy'), icon: 'copy', run: () => copy(message.content, 'message.copied') },
    { label: t('message.copy_link'), icon: 'link', run: () => copy(linkTo(message), 'message.link_copied') },
    isOwn && { label: t('message.edit'), icon: 'edit', run: () => view.composer.edit(message) },
    message.edited_at && { label: t('message.versions'), icon: 'history', run: () => showVersions(view, message) },
    mayLead && { label: t(message.pinned_at ? 'message.unpin' : 'message.pin'), icon: 'pin', run: () => run(session.chat.pin(message, !message.pinned_at)) },
    !isOwn && { label: t('message.unread_from'), icon: 'unread', run: () => run(unreadFrom(view, message)) },
    !isOwn && { label: t('message.report'), icon: 'flag', run: () => use(import('../dialogs/report.js'), ({ openReport }) => openReport(message)) },
    (isOwn || (conversation?.kind === 'group' && mayLead)) && { label: t('message.delete'), icon: 'trash', isDanger: true, run: () => confirmDelete(message) },
  ], t('message.actions'), (menu) => quickReactions(menu, button, message));
}

/** A row of reactions above the menu. @param {HTMLElement} menu @param {HTMLElement} button @param {any} message */
function quickReactions(menu, button, message) {
  const item = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ run) => el('button', {
    type: 'button', class: 'emoji', role: 'menuitem', tabindex: -1, 'aria-label': label,
    onclick: () => {
      menu.hidePopover();
      run();
    },
  }, text);
  return el('div', { class: 'menu-quick', role: 'none' },
    QUICK.map((emoji) => item(emoji, t('reaction.with', { emoji: emojiName(emoji) }), () => react(message, emoji, true))),
    item('+', t('reaction.add'), () => pickEmoji(button, (emoji) => react(message, emoji, true))));
}

/** @param {any} message @param {string} emoji @param {boolean} on */
function react(message, emoji, on) {
  if (message.deleted || !message.position) return;
  session.chat.react(message, emoji, on).catch((/** @type {Error} */ error) => toast(t('reaction.refused', { reason: error.message })));
}

/** @param {any} message */
const linkTo = (message) => new URL(hrefOf('c', message.conversation, 'm', message.id), document.baseURI).href;

/** @param {string} text @param {string} done */
async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text); // there is none on plain HTTP
    toast(t(done));
  } catch {
    const field = el('textarea', { rows: 4, readonly: true, 'aria-label': t('message.copy') });
    field.value = text;
    openDialog({ title: t('message.copy_by_hand'), body: [field] });
    field.select();
  }
}

/** @param {any} view @param {any} message */
async function unreadFrom(view, message) {
  view.reading?.hold(message);
  const { store } = session;
  const read = store.conversations.get(message.conversation)?.markers?.read;
  if (read && store.isOnline) await store.chat.mark(message.conversation, { read }); // one that came later would take the flag away
  await put(`conversations/${message.conversation}/unread-from`, { position: message.position });
  store.conversations.change(message.conversation, { unread_from: message.position });
  store.tally.refreshLater(message.conversation);
  toast(t('message.unread_done'));
  if (isStill(view, message)) location.hash = '#/';
}

/** Whether one still looks at the message's conversation. @param {any} view @param {any} message */
const isStill = (view, message) => view.isConnected && view.id === message.conversation;

/** @param {any} message */
function confirmDelete(message) {
  openDialog({
    title: t('message.delete_title'),
    body: [el('p', {}, t('message.delete_text')), el('blockquote', { class: 'preview', dir: 'auto' }, renderText(message.content))],
    actions: [{ label: t('message.delete'), kind: 'danger', run: () => session.chat.delete(message) }],
  });
}

/** @param {any} view @param {any} message */
async function showVersions(view, message) {
  try {
    const { rows } = await session.chat.archive.versions(message.id);
    if (!isStill(view, message)) return;
    openDialog({
      title: t('message.versions'),
      wide: true,
      body: [el('ol', { class: 'versions' }, rows.reverse().map(({ content, written_at }) => {
        const date = new Date(written_at);
        return el('li', { class: 'version' }, el('time', { class: 'sub', datetime: written_at, title: exactly(date) }, `${dateOf(date)}, ${timeOf(date)}`),
          el('div', { class: 'bubble-text' }, renderText(content)));
      }))],
    });
  } catch (error) {
    toast(/** @type {Error} */ (error).message);
  }
}
