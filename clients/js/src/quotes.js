/** Quotes that follow their original, also where that is not loaded. No I/O. */

const PREVIEW_CHARACTERS = 200;

/**
 * What an answer shows of its original.
 * @param {{id: string, sender: string, content: string, deleted?: boolean}} original
 */
export function previewOf({ id, sender, content, deleted = false }) {
  return { id, sender, content: [...content].slice(0, PREVIEW_CHARACTERS).join(''), deleted };
}

/**
 * Puts an edit or a deletion into the answers to its message.
 * @param {Map<string, any>} messages of the conversation, by id
 * @param {{t: string, d: any}} delta
 */
export function followQuotes(messages, { t, d }) {
  if (t !== 'message_edited' && t !== 'message_deleted') return;
  for (const [id, message] of messages) {
    if (message.reply_to !== d.id || !message.reply_preview || message.reply_preview.deleted) continue;
    const original = { ...message.reply_preview, ...(t === 'message_edited' ? { content: d.content } : { content: '', deleted: true }) };
    messages.set(id, { ...message, reply_preview: previewOf(original) });
  }
}
