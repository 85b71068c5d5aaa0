// Where the page is, and whether anybody sees it.
import { bare } from './clean.js';
import { listen, watch } from './quietly.js';
import { note } from './record.js';

export function start() {
  const moved = (/** @type {string} */ how) => note('navigation', { url: bare(location.href), how });
  moved('load');
  for (const [method, how] of [['pushState', 'push'], ['replaceState', 'replace']])
    watch(history, method, () => () => moved(how));
  listen(window, 'popstate', () => moved('pop'));
  listen(window, 'hashchange', () => moved('hash'));
  const seen = () => note('visibility', { state: document.visibilityState });
  seen();
  listen(document, 'visibilitychange', seen);
}
