/** Sends what a link in an e-mail proves, once, and says in words what came of it. */

/**
 * Resolves to whether it is done, and what to tell the person.
 * @param {{path: string, hash: string, cookie: string, password: string | undefined}} link
 * @param {typeof fetch} fetch
 * @returns {Promise<{done: boolean, said: string}>}
 */
export async function prove({ path, hash, cookie, password }, fetch) {
  const proof = new URLSearchParams(hash.slice(1));
  const body = { uid: proof.get('uid') ?? '', token: proof.get('token') ?? '' };
  if (password !== undefined) body.new_password = password;
  const headers = { 'Content-Type': 'application/json' };
  // Who is signed in here sends their session with it, and so has to send this too.
  const csrf = cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (csrf) headers['X-CSRFToken'] = csrf[1];
  let answer;
  try {
    answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  } catch {
    return { done: false, said: 'The server cannot be reached. Try again.' };
  }
  if (answer.ok) return { done: true, said: 'Done. You can sign in now.' };
  const problem = await answer.json().catch(() => ({}));
  const wrong = (problem.errors ?? []).map((error) => error.detail);
  return { done: false, said: wrong.join(' ') || problem.detail || `This did not work (${answer.status}). Try again.` };
}
