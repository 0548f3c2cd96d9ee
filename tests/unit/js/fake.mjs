/** Sockets, requests and time that a test moves by hand. */

import { mock } from 'node:test';
import { Chat } from '../../../clients/js/src/client.js';

export const CONVERSATION = 'c0000000-0000-4000-8000-000000000001';
export const NOW_MS = Date.parse('2026-11-24T12:00:00.000Z');

let monotonicMs = 0;
Object.defineProperty(performance, 'now', { value: () => monotonicMs });

/** Lets everything run that waits for no timer. */
export async function settle() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Moves the time, and lets run what waited for it. */
export async function pass(ms) {
  monotonicMs += ms;
  mock.timers.tick(ms);
  await settle();
}

export function token(offset, epoch = 1) {
  return `${epoch}.00112233aabbccdd.0:0.1:${offset}`;
}

export function message(offset, more = {}) {
  const position = `1:1:${offset}`;
  return { id: `m${offset}`, conversation: CONVERSATION, sender: 'bob', content: `text ${offset}`, position, changed: position, ...more };
}

export function push(offset, more) {
  return { t: 'message', pos: `1:1:${offset}`, d: message(offset, more) };
}

export function mark(offset, epoch) {
  return { t: 'mark', resume: token(offset, epoch) };
}

export function reset(offset, conversations = [CONVERSATION]) {
  return { t: 'reset', d: { conversations, why: 'too_far_behind', at_least: token(offset) } };
}

class FakeSocket {
  constructor(url, protocols) {
    this.url = String(url);
    this.protocols = protocols;
    this.protocol = 'klatsch.v1';
    this.written = [];
    this.isClosed = false;
  }

  send(text) {
    this.written.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
  }

  say(...frames) {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  end(code, reason = '') {
    this.onclose?.({ code, reason });
  }

  /** Answers hello. */
  welcome(ok = {}) {
    this.onopen({});
    const limits = { unanswered: 64, frame: 65_536, text: 4_000 };
    const now = new Date(NOW_MS).toISOString();
    this.say({ re: 1, ok: { user: 'ana', resumed: true, heartbeat: 25, now, limits, ...ok } });
  }

  /** What hello showed. */
  get resume() {
    return this.written[0].d.resume;
  }

  /** The bodies of the sends. */
  get sends() {
    return this.written.filter(({ op }) => op === 'send').map(({ d }) => d);
  }

  /** Answers the last send of that content. */
  answer(content, answer) {
    const { id } = this.written.findLast(({ d }) => d.content === content);
    this.say({ re: id, ...answer });
  }

  ok(content, offset, duplicate = false) {
    this.answer(content, { ok: { id: `m${offset}`, position: `1:1:${offset}`, duplicate } });
  }

  err(content, code, more = {}) {
    this.answer(content, { err: { code, detail: `${code}.`, temporary: false, ...more } });
  }
}

/** Rejects when the signal is aborted, as a request does. */
function aborted(signal) {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** A chat of ana's with fake sockets; `pages` answers requests: by path, a body, or a status, or a function of both. */
export class Stage {
  constructor(options = {}, pages = {}) {
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout', 'Date'], now: NOW_MS });
    this.sockets = [];
    this.requests = [];
    this.statuses = [];
    this.warnings = [];
    this.pages = pages;
    pages['/api/v1/me'] ??= { username: 'ana' };
    this.seen = [];
    this.failed = null;
    this.open(options);
  }

  open(options) {
    const { sockets } = this;
    const WebSocket = class extends FakeSocket {
      constructor(...given) {
        super(...given);
        sockets.push(this);
      }
    };
    const fetch = (url, init) => this.fetch(url, init);
    this.chat = new Chat({ url: 'https://chat.test', WebSocket, fetch, ...options });
    this.chat.onstatus = (...status) => this.statuses.push(status);
    this.chat.onwarning = (text) => this.warnings.push(text);
  }

  async fetch(url, init) {
    const path = url.pathname + url.search;
    this.requests.push({ path, ...init });
    const found = this.pages[path] ?? this.pages[url.pathname];
    const body = typeof found === 'function' ? await Promise.race([found(url), aborted(init.signal)]) : found;
    if (body instanceof Response || body instanceof Error) return body instanceof Error ? Promise.reject(body) : body;
    if (body === undefined) return new Response('{"code":"not_found"}', { status: 404 });
    if (typeof body === 'number') return new Response('{"code":"not_archived_yet","retry_after":2}', { status: body });
    return new Response(JSON.stringify(body));
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** A first connection, with its mark. */
  async start(offset = 0) {
    await settle();
    this.socket.welcome({ resumed: false });
    this.socket.say(mark(offset));
    await settle();
    return this.socket;
  }

  /** Takes events as they come. */
  listen() {
    const taking = async () => {
      for await (const event of this.chat.events()) this.seen.push(event);
    };
    taking().catch((error) => (this.failed = error));
    return this;
  }

  /** What was seen but marks, in short: messages by their content or id. */
  get told() {
    return this.seen.filter(({ t }) => t !== 'mark').map(({ t, d }) => `${t} ${d.content ?? d.conversation ?? d.conversations}`);
  }

  /** Loses the connection, and welcomes the next one. */
  async reconnect(code = 1006, ok) {
    this.socket.end(code);
    await settle();
    await pass(30_000);
    this.socket.welcome(ok);
    await settle();
    return this.socket;
  }
}

/** A Storage. */
export class Memory extends Map {
  get length() {
    return this.size;
  }

  key(i) {
    return [...this.keys()][i] ?? null;
  }

  getItem(key) {
    return this.get(key) ?? null;
  }

  setItem(key, value) {
    this.set(key, value);
  }

  removeItem(key) {
    this.delete(key);
  }
}
