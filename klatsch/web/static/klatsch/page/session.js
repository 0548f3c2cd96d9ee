/** Who is signed in here, and what belongs to that person: their chat and their store. */

import { post } from './api.js';
import { Store } from './store.js';

/**
 * @typedef {{id: string, username: string, display_name: string}} Me
 * @type {{me: Me | null, store: any, chat: any}} `store` and `chat` are there while `me` is
 */
export const session = { me: null, store: null, chat: null };

/** Since when: a refusal of what was asked before is none of this session. */
let openedMs = 0;

/** Opens the chat of the person whose session cookie this page was loaded with, if any. */
export function startSession() {
  const given = document.querySelector('meta[name="klatsch-me"]');
  if (given) open(JSON.parse(given.getAttribute('content') ?? ''));
  given?.remove(); // who comes after this person must not find their name
  addEventListener('klatsch:signed-out', ({ detail: askedMs }) => {
    if (!session.me || (askedMs ?? openedMs) < openedMs) return;
    leave({ isTold: true }); // by the server: the session is over, or was ended elsewhere
  });
}

/** @param {Me} me what POST /auth/login has answered */
export function signedIn(me) {
  open(me);
  dispatchEvent(new CustomEvent('klatsch:session'));
}

/** Ends the session on the server, and forgets here what belongs to it. */
export async function signOut() {
  await post('auth/logout');
  session.store?.forget();
  leave();
}

/** @param {Me} me */
function open(me) {
  openedMs = performance.now();
  session.me = me;
  session.store = new Store(me);
  Object.defineProperty(session, 'chat', { get: () => session.store?.chat ?? null, configurable: true });
}

/** @param {{isTold?: boolean}} [options] whether the person is to be told of it */
function leave({ isTold = false } = {}) {
  if (!session.me) return;
  session.store.close();
  session.me = session.store = null;
  dispatchEvent(new CustomEvent('klatsch:session', { detail: { isTold } }));
}
