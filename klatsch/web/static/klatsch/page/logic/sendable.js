/** Makes what is typed and pasted into what the server takes. No DOM. */

const BREAKS = /[\v\f\u0085]/g; // pasted from other programs
const CONTROLS = /[\0-\x08\x0e-\x1f\x7f-\x9f]/g; // refused by the server (docs/decisions/0059)
const HALVES = /\p{Surrogate}/gu; // of an emoji that was cut in two

/** @param {string} text */
export const sendable = (text) => text.replace(HALVES, '\ufffd').replace(BREAKS, '\n').replace(CONTROLS, '').trim();
