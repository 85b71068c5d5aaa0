// The recording of this tab: which session it belongs to, and whether it is sent or only held.
import { record } from '@rrweb/record';
import { isSampled } from './library/is-sampled.js';
import { BLOCK, mask, withoutFilledIn } from './privacy.js';
import { counts, end, listen, quietly } from './quietly.js';
import { flushSoon, onDropped, push, turnTo } from './send.js';
import { idle, mode, ratio } from './tag.js';

/** What is held of a session that is not sent: at least this long, in ms, and at most so many events twice. */
const HELD_TIME = 60_000;
const HELD_EVENTS = 5_000;
const CUSTOM = 5;
/** A replay can begin at each snapshot: one at least so often while something happens, in ms. */
const PICTURES = 600_000;
/** The session is known for so long, in ms. */
const CHECKED = 2_000;
/** Pointer, clicks, touch, dragging: somebody is there. */
const BY_HAND = [1, 2, 6, 12];
/** A page that reports all the time is not read to the end anyway: so many of a kind in ten seconds. */
const MOST_NOTES = 300;

let session = '';
let isHolding = false;
let isKept = false;
/** Each but the first begins with a snapshot. @type {object[][]} */
let held = [[]];
let isRecording = false;
let lastUse = Date.now();
let lastCheck = 0;
/** Nothing is recorded until the page is used again. */
let isAsleep = false;
/** Told of each event of rrweb's that is recorded. */
let onEvent = (/** @type {any} */ _event) => {};

/** @param {typeof onEvent} tell */
export const tellOfEvents = (tell) => { onEvent = tell; };

export function start() {
  checkSession();
  // These are also what renews a session: right after it was, ask.
  listen(window, 'click keydown pageshow', used);
  onDropped((batches) => {
    note('gap', { batches });
    snapshotSoon();
    flushSoon();
  });
  const stop = record({
    emit: (event) => quietly(take, event),
    errorHandler: () => { counts.failures++; return true; },
    blockClass: BLOCK,
    // What is masked is decided in privacy.js; this is a second lock.
    maskAllInputs: mode != 'mask-sensitive',
    recordAfter: 'DOMContentLoaded',
    checkoutEveryNms: PICTURES,
    slimDOMOptions: 'all',
    sampling: {
      // pointer.js
      mousemove: false,
      // A replay shows clicks, touches and the focus.
      mouseInteraction: { MouseUp: false, MouseDown: false, ContextMenu: false, DblClick: false, Blur: false },
      scroll: 200,
      media: 800,
    },
  });
  end.signal.addEventListener('abort', () => quietly(() => stop?.()));
}

/** Something was used that renews the session: it may be another one now. */
export function used() {
  lastUse = Date.now();
  // Asking takes the browser some time, and a session that was just in use is the same.
  if (lastUse - lastCheck > CHECKED) checkSession();
  if (isAsleep) {
    isAsleep = false;
    snapshot();
  }
}

function checkSession() {
  lastCheck = Date.now();
  const { qorrelate } = /** @type {any} */ (window);
  const id = qorrelate.id();
  if (!id) {
    // A recorder that has none yet.
    if (!session) setTimeout(() => end.signal.aborted || quietly(checkSession), 500);
  } else if (id != session) {
    begin(id);
  }
}

/** @param {string} id */
function begin(id) {
  const isFirst = !session;
  session = id;
  isKept = false;
  turnTo(id);
  isHolding = !isSampled(id, ratio) && remembered() != id;
  if (!isFirst) {
    held = [[]];
    isAsleep = false;
    snapshot();
  } else if (!isHolding) release();
}

const sleeps = () => (isAsleep ||= Date.now() - lastUse > idle);

/** @param {any} event of rrweb */
export function take(event) {
  // rrweb tells of a snapshot in two events.
  if (event.type == 4) isRecording = true;
  if (event.type == 3 && BY_HAND.includes(event.data.source) && !isAsleep) lastUse = Date.now();
  if (end.signal.aborted || sleeps() || !mask(event)) return;
  const { data } = event;
  if (data.x % 1) data.x = Math.round(data.x);
  if (data.y % 1) data.y = Math.round(data.y);
  keep(event);
  onEvent(event);
}

/** @param {any} event */
function keep(event) {
  if (session && !isHolding) return push(event);
  if (event.type == 4) held = [held[held.length - 1], []];
  held[held.length - 1].push(event);
  if (event.type == 3 || event.type == CUSTOM) rotate(event);
}

/** @param {any} event the latest */
function rotate(event) {
  if (held.length > 1) {
    const { length, 0: { timestamp } } = /** @type {any[]} */ (held[1]);
    if (length > HELD_EVENTS || event.timestamp - timestamp > HELD_TIME) snapshotSoon();
  }
}

/**
 * Something failed: from now on, this session is sent, also what was held of it.
 *
 * @param {boolean} [byBackend] it says that it keeps the session
 */
export function keepSession(byBackend) {
  if (byBackend) {
    // It says so with every response.
    if (isKept) return;
    isKept = true;
    note('kept', {});
  }
  if (isHolding) {
    remember(session);
    release();
  }
  flushSoon();
}

function release() {
  isHolding = false;
  const events = held.flat();
  held = [[]];
  events.forEach(push);
}

const REMEMBERED = 'qorrelate-kept';
const remembered = () => { try { return sessionStorage[REMEMBERED]; } catch {} };
const remember = (/** @type {string} */ id) => { try { sessionStorage[REMEMBERED] = id; } catch {} };

const snapshot = () => isRecording && quietly(() => record.takeFullSnapshot());

let isDue = false;
function snapshotSoon() {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    if (!end.signal.aborted) snapshot();
  });
}

/** @type {Record<string, number>} */
let notes = {};
let notesSince = 0;

/**
 * Records what rrweb does not know.
 *
 * @param {string} tag
 * @param {Record<string, any>} payload
 * @param {number} [timestamp] when it happened, or ended: ms since the epoch
 */
export function note(tag, payload, timestamp = Date.now()) {
  if (end.signal.aborted || sleeps()) return;
  if (timestamp - notesSince > 10_000) [notes, notesSince] = [{}, timestamp];
  notes[tag] = (notes[tag] ?? 0) + 1;
  if (notes[tag] > MOST_NOTES) return;
  for (const [name, value] of Object.entries(payload))
    if (typeof value == 'string') payload[name] = withoutFilledIn(value, mode != 'mask-sensitive');
  keep({ type: CUSTOM, data: { tag, payload }, timestamp });
}
