// Where the pointer is, told as rrweb would. rrweb listens to every move, at half of all that recording costs; this looks
// ten times a second, and between, nothing listens.
import { record } from '@rrweb/record';
import { end, listen, quietly } from './quietly.js';
import { take } from './record.js';

/** How often it is looked at, and told; in ms. */
const LOOK = 100;
const TELL = 2_000;
/** Events of the browser, and rrweb's numbers for them. */
const MOVES = /** @type {const} */ ([['mousemove', 1], ['touchmove', 6], ['drag', 12]]);

/** @param {string} type @param {number} source */
function follow(type, source) {
  /** @type {{ x: number, y: number, id: number, time: number }[]} */
  let places = [];
  const tell = () => {
    if (!places.length) return;
    const timestamp = Date.now();
    const positions = places.map(({ time, ...place }) => ({ ...place, timeOffset: time - timestamp }));
    places = [];
    take({ type: 3, data: { source, positions }, timestamp });
  };
  const see = (/** @type {any} */ event) => {
    const { clientX, clientY } = event.changedTouches?.[0] ?? event;
    if (!places.length) setTimeout(() => quietly(tell), TELL);
    const id = record.mirror.getId(event.composedPath()[0]);
    places.push({ x: Math.round(clientX), y: Math.round(clientY), id, time: Date.now() });
    setTimeout(look, LOOK);
  };
  const look = () => document.addEventListener(type, (event) => quietly(see, event), { capture: true, passive: true, once: true, signal: end.signal });
  look();
  listen(window, 'pagehide', tell);
}

export function start() {
  for (const [type, source] of MOVES) follow(type, source);
}
