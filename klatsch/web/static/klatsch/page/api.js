/** Requests to /api/v1 with the session cookie. What the client library does not cover goes through here. */

import { ChatError } from '../client.js';

const DEADLINE_MS = 30_000;
const AWAY = { status: 0, code: 'unreachable' };

/** A refusal. `fields` has what is wrong by field; the empty name is of the whole. `status` 0 says that no answer came. */
export class ApiError extends Error {
  /** @param {{status: number, code: string, detail?: string, errors?: any[], retry_after?: number}} problem */
  constructor({ status, code, detail = '', errors = [], retry_after }) {
    super(detail || code);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.retryAfter = retry_after;
    /** @type {Record<string, string[]>} */
    this.fields = {};
    for (const { field, detail: said } of errors) (this.fields[field] ??= []).push(said);
  }

  /** Whether another try may succeed. */
  get isTemporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Tells what a request rejects with, here or in the client library, from a fault of the page. @param {unknown} error */
export const isOfRequest = (error) => error instanceof ApiError || error instanceof ChatError;

/** Does as `fetch`, but rejects with an ApiError where no answer came: a TypeError is a fault of the page then. @type {typeof globalThis.fetch} */
export const reach = (...given) => fetch(...given).catch((error) => {
  throw new ApiError({ ...AWAY, detail: error.message });
});

/**
 * Resolves to the answer's body, null for an empty one; rejects with an ApiError.
 * @param {string} method
 * @param {string} path below /api/v1/
 * @param {any} [body]
 * @param {{signal?: AbortSignal, leaves?: boolean}} [options] `leaves`: whether a 401 ends what is shown of the session
 * @returns {Promise<any>}
 */
export async function request(method, path, body, { signal, leaves = true } = {}) {
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (token && method !== 'GET') headers['X-CSRFToken'] = token[1];
  const askedMs = performance.now();
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const init = { method, headers, signal: signal ? AbortSignal.any([signal, deadline]) : deadline };
  const answer = await fetch(new URL(`api/v1/${path}`, document.baseURI), {
    ...init, redirect: 'error', body: body === undefined ? undefined : JSON.stringify(body),
  }).catch((error) => {
    if (signal?.aborted) throw error;
    throw new ApiError(AWAY);
  });
  const given = await answer.json().catch(() => null);
  if (answer.ok && method === 'GET' && given === null) throw new ApiError(AWAY); // a hotel's network that wants to be paid
  if (answer.ok) return given;
  if (answer.status === 401 && leaves) dispatchEvent(new CustomEvent('klatsch:signed-out', { detail: askedMs }));
  throw new ApiError({ code: 'internal_error', ...given, status: answer.status });
}

export const get = (/** @type {string} */ path, /** @type {any} */ options) => request('GET', path, undefined, options);
export const post = (/** @type {string} */ path, /** @type {any} */ body, /** @type {any} */ options) => request('POST', path, body ?? {}, options);
export const put = (/** @type {string} */ path, /** @type {any} */ body, /** @type {any} */ options) => request('PUT', path, body ?? {}, options);
export const patch = (/** @type {string} */ path, /** @type {any} */ body, /** @type {any} */ options) => request('PATCH', path, body, options);
export const del = (/** @type {string} */ path, /** @type {any} */ options) => request('DELETE', path, undefined, options);
