/** Sends what is written in a conversation's composer: messages, other texts for one's own, and that one is typing. */

import { toast } from '../notes.js';
import { session } from '../session.js';
import { t } from '../strings.js';

/** @param {any} view the conversation's view, whose composer it is */
export function listenToComposer(view) {
  view.listen(view.composer, 'send', (/** @type {any} */ { detail }) => send(view, detail));
  view.listen(view.composer, 'edit', (/** @type {any} */ { detail }) => edit(view, detail));
  view.listen(view.composer, 'typing', (/** @type {any} */ { detail }) => view.id && session.chat.typing(view.id, detail));
  view.listen(view.composer, 'editlast', () => editLast(view));
}

/** @param {any} view @param {{content: string, replyTo: string | null}} draft */
function send(view, { content, replyTo }) {
  session.store.outgoing.send({ ...(view.id ? { conversation: view.id } : { to: view.to ?? undefined }), content, reply_to: replyTo });
  if (view.id) session.chat.typing(view.id, false);
  view.log.toEnd();
  if (view.history?.isLoaded ?? true) view.jumps.toEnd(); // else what is loaded shows its end
}

/** @param {any} view @param {{message: any, content: string}} change */
async function edit(view, { message, content }) {
  // Else, in another conversation or over another edit, the editor has no place for what is refused.
  const isThere = () => view.isConnected && view.id === message.conversation && view.composer.editedId === null;
  try {
    await session.store.outgoing.edit(message, content, isThere);
  } catch (error) {
    const now = session.store.view.message(message.id) ?? message;
    const isConflict = /** @type {any} */ (error).code === 'conflict';
    if (!isConflict) toast(t('message.edit_refused', { reason: /** @type {Error} */ (error).message }));
    view.composer.edit(now, { text: content, other: isConflict ? now.content : null });
  }
}

/** @param {any} view */
function editLast(view) {
  const isOwn = (/** @type {any} */ { sender, deleted, position }) => sender === session.me?.username && !deleted && position;
  const own = view.messages.findLast(isOwn);
  if (own) view.composer.edit(own);
}
