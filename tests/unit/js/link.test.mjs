import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prove } from '../../../klatsch/web/static/klatsch/link.js';

const LINK = { path: '/api/v1/auth/password/reset/confirm', hash: '#uid=u-1&token=t-1', cookie: '', password: 'new' };

/** A server that answers so, and keeps what it was asked. */
function server(status, body = {}) {
  const asked = [];
  const fetch = async (path, request) => {
    asked.push({ path, ...request, body: JSON.parse(request.body) });
    return { ok: status < 300, status, json: async () => body };
  };
  return { asked, fetch };
}

test('the proof of the link is sent with the password and nothing else', async () => {
  const { asked, fetch } = server(204);
  assert.equal((await prove(LINK, fetch)).done, true);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].path, LINK.path);
  assert.equal(asked[0].method, 'POST');
  assert.deepEqual(asked[0].body, { uid: 'u-1', token: 't-1', new_password: 'new' });
  assert.deepEqual(asked[0].headers, { 'Content-Type': 'application/json' });
});

test('a confirmation sends no password', async () => {
  const { asked, fetch } = server(204);
  await prove({ ...LINK, password: undefined }, fetch);
  assert.deepEqual(asked[0].body, { uid: 'u-1', token: 't-1' });
});

test('who is signed in sends the CSRF token', async () => {
  const { asked, fetch } = server(204);
  await prove({ ...LINK, cookie: 'theme=dark; csrftoken=abc' }, fetch);
  assert.equal(asked[0].headers['X-CSRFToken'], 'abc');
});

test('what is wrong is told field by field', async () => {
  const { fetch } = server(400, { detail: 'Wrong.', errors: [{ detail: 'Too short.' }, { detail: 'Too common.' }] });
  assert.deepEqual(await prove(LINK, fetch), { done: false, said: 'Too short. Too common.' });
});

test('a link without a proof, a refusal without words and a server that is away are told too', async () => {
  const { asked, fetch } = server(503);
  assert.match((await prove({ ...LINK, hash: '' }, fetch)).said, /503/);
  assert.deepEqual(asked[0].body, { uid: '', token: '', new_password: 'new' });
  const away = async () => {
    throw new TypeError('failed');
  };
  assert.match((await prove(LINK, away)).said, /cannot be reached/);
});
