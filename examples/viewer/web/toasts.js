// Messages that come and go: what people later say they have seen, or have not.
import { listen, quietly } from './quietly.js';
import { readable, tellOfElements } from './privacy.js';
import { note } from './record.js';

const LONGEST_TEXT = 200;
/** Changes of the page are looked at together, this often, in ms. */
const PAUSE = 50;

/** Where messages appear, and the one that is there now. @type {Map<any, { text: string, since: number }>} */
const places = new Map();
let isDue = false;

/** @param {any} element */
const textOf = (element) =>
  element.isConnected && element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) ? readable(element, LONGEST_TEXT) : '';

function look() {
  isDue = false;
  const now = Date.now();
  for (const [element, seen] of places) {
    const text = textOf(element);
    if (text != seen.text) {
      if (seen.text) note('toast', { text: seen.text, shown: now - seen.since }, now);
      places.set(element, { text, since: now });
    }
    if (!element.isConnected) places.delete(element);
  }
}

/** The page has changed. */
export function lookSoon() {
  if (isDue || !places.size) return;
  isDue = true;
  setTimeout(() => quietly(look), PAUSE);
}

export function start() {
  tellOfElements((live, attributes) => {
    const { role, popover, 'aria-live': isLive } = attributes;
    if (live && /** @type {any} */ (role == 'alert' || role == 'status' || popover != null || (isLive && isLive != 'off') || live.localName == 'output') && !places.has(live)) {
      places.set(live, { text: '', since: Date.now() });
      lookSoon();
    }
  });
  listen(document, 'toggle', lookSoon);
}
