/** Addresses within the page, which stand behind the `#`. No DOM. */

/**
 * @typedef {object} Route
 * @property {string} path `/c/:conversation`; `:name` is one part, `:name?` may be missing
 * @property {string} tag the custom element that shows it
 * @property {() => Promise<unknown>} load imports the module that defines it
 * @property {string} title the key of its title in the catalogue
 * @property {boolean} [isPublic] for people who are not signed in
 */
/** @typedef {{route: Route, params: Record<string, string>}} Match */

/**
 * The first route that an address fits.
 * @param {Route[]} routes
 * @param {string} hash `#/c/…`
 * @returns {Match | null}
 */
export function matchRoute(routes, hash) {
  const parts = partsOf(hash.replace(/^#/, ''));
  if (parts === null) return null;
  for (const route of routes) {
    const params = matchParts(partsOf(route.path) ?? [], parts);
    if (params) return { route, params };
  }
  return null;
}

/**
 * The address with these parts, as the value of `href`.
 * @param {...string} parts
 */
export function hrefOf(...parts) {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}

/** @param {string} path */
function partsOf(path) {
  try {
    return path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return null; // a % that encodes nothing
  }
}

/**
 * @param {string[]} wanted
 * @param {string[]} parts
 * @returns {Record<string, string> | null}
 */
function matchParts(wanted, parts) {
  if (parts.length > wanted.length) return null;
  /** @type {Record<string, string>} */
  const params = {};
  for (const [i, name] of wanted.entries()) {
    const part = parts[i];
    if (!name.startsWith(':')) {
      if (part !== name) return null;
    } else if (part !== undefined) params[name.slice(1).replace('?', '')] = part;
    else if (!name.endsWith('?')) return null;
  }
  return params;
}
