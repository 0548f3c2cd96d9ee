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
 * Puts what has become of a message into the answers to it.
 * @param {Map<string, any>} messages of the conversation, by id
 * @param {{id: string, content?: string, deleted?: boolean}} original
 */
export function followQuotes(messages, { id, content = '', deleted = false }) {
  for (const [answer, message] of messages) {
    const preview = message.reply_preview;
    if (message.reply_to !== id || !preview || preview.deleted) continue;
    messages.set(answer, { ...message, reply_preview: previewOf({ ...preview, content, deleted }) });
  }
}
