/** Where the link of an e-mail leads: a view of the page, with the proof that stands behind the `#`. */

/**
 * @param {string} view
 * @param {string} hash `#uid=…&token=…`
 */
export function addressOf(view, hash) {
  const proof = new URLSearchParams(hash.slice(1));
  const parts = [view, proof.get('uid') ?? '', proof.get('token') ?? ''].filter((part) => part !== '');
  return `./#/${parts.map(encodeURIComponent).join('/')}`;
}
