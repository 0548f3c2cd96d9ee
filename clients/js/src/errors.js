/** What fails: here, on the server's side, and in the application. No I/O. */

/** What ends a chat, a send or a request; `code` is one of the protocol's, `temporary` says whether trying again helps. */
export class ChatError extends Error {
  /**
   * @param {string} code
   * @param {string} [detail]
   * @param {{temporary?: boolean, retry_after?: number, close?: number, isKlatschs?: boolean, changed?: string}} [more]
   *   `retry_after` is in seconds; `changed` is the position of the edit that a refused edit had not seen; `isKlatschs` says that the server has refused a request, and not a proxy before it
   */
  constructor(code, detail, more = {}) {
    super(detail || code);
    this.name = 'ChatError';
    this.code = code;
    this.temporary = more.temporary ?? false;
    this.retry_after = more.retry_after;
    this.close = more.close;
    this.changed = more.changed;
    this.isKlatschs = more.isKlatschs ?? false;
  }
}

// generated: close codes
/** @type {Record<number, string>} */
const CLOSE_CODES = { 4400: 'bad_request', 4401: 'not_authenticated', 4403: 'forbidden', 4429: 'rate_limited' };
const STOP_STANDARD = new Set([1002, 1003, 1007, 1008, 1009]);
const [STOP_FROM, STOP_BEFORE] = [4400, 4500];
// end

/**
 * The error that a close code means, or null where the protocol says to resume.
 * @param {number} code
 * @param {string} reason
 */
export function closeError(code, reason) {
  if (!STOP_STANDARD.has(code) && (code < STOP_FROM || code >= STOP_BEFORE)) return null;
  return new ChatError(CLOSE_CODES[code] ?? 'stopped', reason || `closed with ${code}`, { close: code });
}

/**
 * Calls the application. What it throws is reported as a listener's errors are, and stops nothing here.
 * @param {() => void} callback
 */
export function callBack(callback) {
  try {
    callback();
  } catch (error) {
    if (globalThis.reportError) reportError(error);
    else queueMicrotask(() => { throw error; }); // Node has no `reportError`
  }
}
