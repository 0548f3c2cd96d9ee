/** A time as it is read, with the exact one on hover. */

import { el } from '../element.js';
import { dateOf, exactly, shortly } from '../logic/times.js';

/** @param {string} iso @param {(date: Date) => string} [write] by default short, as for what has been */
export function timeTag(iso, write = (date) => shortly(date, new Date())) {
  const date = new Date(iso);
  return el('time', { datetime: iso, title: exactly(date) }, write(date));
}

/** The day of a time that is to come. @param {string} iso */
export const dayTag = (iso) => timeTag(iso, (date) => dateOf(date));
