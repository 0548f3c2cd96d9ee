/** Loads modules of the chat page, which import the client library from where the server serves it: one folder above. */

import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const STATIC = new URL('../../../klatsch/web/static/klatsch/', import.meta.url);
const CLIENT = new URL('../../../clients/js/src/', import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const url = specifier.startsWith('.') ? new URL(specifier, context.parentURL) : null;
    const isClients = url !== null && url.href.startsWith(STATIC.href) && !existsSync(fileURLToPath(url));
    return next(isClients ? url.href.replace(STATIC.href, CLIENT.href) : specifier, context);
  },
});

/** @param {string} path below page/ */
export const load = (path) => import(new URL(`page/${path}`, STATIC).href);
