/** Notifications: one over all tabs, which leads to its message, and goes when that is read elsewhere. */

import { plainLine } from './logic/markdown.js';
import { isMuted } from './logic/conversations.js';
import { hrefOf } from './logic/routes.js';
import { toast } from './notes.js';
import { session } from './session.js';
import { openStorage } from './storage.js';
import { t } from './strings.js';

const KEY = 'klatsch.notify';
const TITLE_KEY = 'klatsch.title';
const TURN_MS = 150; // in which a tab that one looks at says so
const storage = openStorage();
const channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel('klatsch') : null;

/** @type {Map<string, {notification: Notification, position: string}>} By conversation. */
const shown = new Map();
/** @type {Set<string>} Messages that another tab shows or has on its screen. */
const told = new Set();

export const wantsNotifications = () => 'Notification' in globalThis && Notification.permission === 'granted' && storage.getItem(KEY) === 'on';

/** Asks the browser. @returns {Promise<boolean>} */
export async function askForNotifications() {
  if (!('Notification' in globalThis) || (await Notification.requestPermission()) !== 'granted') return false;
  storage.setItem(KEY, 'on');
  return true;
}

export function stopNotifications() {
  storage.removeItem(KEY);
  for (const { notification } of shown.values()) notification.close();
  shown.clear();
}

/** Whether the title has the number of unread messages: unless it is not wanted. */
export const countsInTitle = () => storage.getItem(TITLE_KEY) !== 'off';

/** @param {boolean} isWanted */
export function countInTitle(isWanted) {
  if (isWanted) storage.removeItem(TITLE_KEY);
  else storage.setItem(TITLE_KEY, 'off');
  dispatchEvent(new CustomEvent('klatsch:unread'));
}

/** Whether a person who looks at this tab sees the conversation. @param {string} conversation */
const isLookedAt = (conversation) => document.visibilityState === 'visible' && document.hasFocus() && location.hash.includes(conversation);

channel?.addEventListener('message', ({ data }) => {
  if (typeof data?.told === 'string') told.add(data.told);
  if (told.size > 500) told.delete(/** @type {string} */ (told.values().next().value));
});

/**
 * Tells of a message, unless some tab shows it already. All tabs hear of it at the same time: the first that takes the lock shows it.
 * @param {any} message
 */
export async function notify(message) {
  const conversation = session.store?.conversations.get(message.conversation);
  const isMention = message.mentions?.includes(session.me?.username);
  if (!conversation || (isMuted(conversation, new Date()) && !isMention)) return;
  if (isLookedAt(message.conversation)) {
    channel?.postMessage({ told: message.id });
    return;
  }
  if (!wantsNotifications()) return;
  await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  const show = () => {
    if (told.has(message.id) || !session.store?.conversations.get(message.conversation)) return;
    channel?.postMessage({ told: message.id });
    told.add(message.id);
    open(message, conversation);
  };
  if (navigator.locks) await navigator.locks.request('klatsch.notify', async () => [show(), await new Promise((resolve) => setTimeout(resolve, 20))]);
  else show();
}

/** @param {string} title @param {NotificationOptions} options */
function make(title, options) {
  try {
    return new Notification(title, options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    stopNotifications(); // Chrome on Android gives the permission, and lets only service workers notify
    toast(t('notifications.none'));
    return null;
  }
}

/** @param {any} message @param {any} conversation */
function open(message, conversation) {
  const isGroup = conversation.kind === 'group';
  const title = isGroup ? t('notify.in', { name: message.sender, title: session.store.nameOf(conversation) }) : message.sender;
  const notification = make(title, { body: plainLine(message.content), tag: `klatsch.${message.conversation}` });
  if (!notification) return;
  notification.onclick = () => {
    window.focus();
    location.hash = hrefOf('c', message.conversation, 'm', message.id);
    notification.close();
  };
  shown.set(message.conversation, { notification, position: message.position });
}

/** Takes back what was read, here or elsewhere. */
export function withdrawRead() {
  for (const [id, { notification }] of shown) {
    const conversation = session.store?.conversations.get(id);
    if (conversation && Number.parseInt(conversation.unread, 10) > 0) continue;
    notification.close();
    shown.delete(id);
  }
}
