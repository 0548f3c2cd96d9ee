/** The pause of all sends after the server has refused something for now. No I/O. */

const FIRST_MS = 500;
const MOST_MS = 15_000;

/** A pause is for all that is unfinished: others would only be refused as well, or overtake. */
export class Pause {
  #refusals = 0;

  /** Until when nothing goes, in milliseconds of `performance.now()`. */
  until = 0;

  /**
   * The server has refused something for now.
   * @param {number | undefined} seconds the server's own wish; without one it is by chance, and longer with each refusal in a row
   * @param {number} now
   */
  extend(seconds, now) {
    const most = Math.min(MOST_MS, FIRST_MS * 2 ** this.#refusals);
    this.#refusals += 1;
    const milliseconds = seconds == null ? Math.random() * most : seconds * 1000;
    this.until = Math.max(this.until, now + milliseconds);
  }

  /** Something has its final answer: the next refusal counts as the first. */
  reset() {
    this.#refusals = 0;
  }
}
