/**
 * Which words of a text a search has found, as PostgreSQL's `websearch_to_tsquery` reads what was asked for: all words, in any case,
 * `"a phrase"`, `or`, and `-` before what must not be there. What joins words without a space, as in e-mail, makes a phrase. No DOM.
 */

const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const ASKED = /(-?)(?:"([^"]*)"?|([^\s"]+))/g;
const LEAD_MOST = 120; // characters before the first found word
const LEAD = 60; // of them that are left where there are more

/** @typedef {{text: string, isFound: boolean}} Piece */

/**
 * The words to find, one list for each phrase, in lower case.
 * @param {string} asked
 * @returns {string[][]}
 */
export function phrasesOf(asked) {
  return [...asked.matchAll(ASKED)]
    .filter(([, not, , word]) => not === '' && word?.toLowerCase() !== 'or')
    .map(([, , phrase, word]) => wordsOf(phrase ?? word).map(({ word: one }) => one))
    .filter((phrase) => phrase.length > 0);
}

/** @param {string} text */
function wordsOf(text) {
  return [...text.matchAll(WORD)].map(({ 0: word, index }) => ({ word: word.toLowerCase(), from: index, to: index + word.length }));
}

/**
 * A text in pieces, those that are found apart; from shortly before the first of them.
 * @param {string} text
 * @param {string[][]} phrases
 * @returns {Piece[]}
 */
export function piecesOf(text, phrases) {
  const words = wordsOf(text);
  const begins = (/** @type {number} */ at) => phrases.filter((phrase) => phrase.every((word, i) => words[at + i]?.word === word));
  /** @type {Piece[]} */
  const pieces = [];
  let end = 0;
  for (let at = 0; at < words.length; ) {
    const count = Math.max(0, ...begins(at).map(({ length }) => length));
    if (count > 0) {
      const [{ from }, { to }] = [words[at], words[at + count - 1]];
      const isFar = pieces.length === 0 && from > LEAD_MOST;
      const lead = isFar ? words.find((word) => word.from >= from - LEAD)?.from ?? from : end;
      pieces.push({ text: `${isFar ? '…' : ''}${text.slice(lead, from)}`, isFound: false }, { text: text.slice(from, to), isFound: true });
      end = to;
    }
    at += Math.max(1, count);
  }
  return [...pieces, { text: text.slice(end), isFound: false }].filter(({ text: piece }) => piece !== '');
}
