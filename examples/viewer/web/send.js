// From events to the viewer: batches, numbered per session, each tried until it is taken or given up.
import { counts, end, listen, quietly } from './quietly.js';
import { endpoint, organisation, plainFetch } from './tag.js';

/** How long events wait for others, in ms: together they are half the size. */
const PAUSE = 15_000;
/** The first of a session, so that its snapshot is not lost; and what has failed, so that it is soon seen. */
const SHORT_PAUSE = 1_000;
/** Characters of a batch, and of all that wait. */
const BATCH = 256 * 1024;
const HELD = 4 * 1024 * 1024;
/** A browser sends 64 KiB after the page has gone, of all requests together. */
const LAST = 60_000;
const LONGEST_BACK_OFF = 60_000;

/** @typedef {{ session: string, sequence: number, events: string }} Batch */

const hex = (/** @type {number} */ byte) => (byte + 256).toString(16).slice(1);
const bytesOfTab = new Uint8Array(8);
const tab = Array.from(quietly(() => crypto.getRandomValues(bytesOfTab)) ?? bytesOfTab.map(() => Math.random() * 256), hex).join('');
let session = '';
let sequence = 0;
let dropped = 0;
/** @type {string | undefined} */
let user;

/** @type {string[]} */
let events = [];
let size = 0;
/** @type {Batch[]} */
const batches = [];
let isSending = false;
let refused = false;
let timer = 0;
let isSoon = false;
/** @type {(() => void) | undefined} */
let wake;
/** Batches that were given up, and of which nobody was told yet. */
let lost = 0;
let onLoss = (/** @type {number} */ _batches) => {};

/** @param {typeof onLoss} work */
export const onDropped = (work) => { onLoss = work; };

/** @param {unknown} who */
export function identify(who) {
  user = who == null ? undefined : String(who).slice(0, 256);
}

/** What follows belongs to this session. @param {string} id */
export function turnTo(id) {
  cut();
  session = id;
  sequence = 0;
}

/** @param {object} event */
export function push(event) {
  if (refused) return;
  const text = JSON.stringify(event);
  events.push(text);
  size += text.length;
  if (size > BATCH) flush();
  else timer ||= setTimeout(flush, sequence ? PAUSE : SHORT_PAUSE);
}

export function flush() {
  cut();
  pump();
}

export function flushSoon() {
  // One that reports all the time would otherwise put it off for ever.
  if (isSoon) return;
  isSoon = true;
  clearTimeout(timer);
  timer = setTimeout(flush, SHORT_PAUSE);
}

/** Makes a batch of what waits. @param {number} [most] characters of each */
function cut(most = BATCH) {
  clearTimeout(timer);
  timer = 0;
  isSoon = false;
  while (events.length) {
    let end = 0;
    for (let length = 0; end < events.length && (!end || length + events[end].length <= most); end++) length += events[end].length;
    batches.push({ session, sequence: sequence++, events: events.splice(0, end).join() });
  }
  size = 0;
  let held = batches.reduce((sum, batch) => sum + batch.events.length, 0);
  while (held > HELD && batches.length > 1) {
    // The first is being sent, perhaps.
    const [batch] = batches.splice(isSending ? 1 : 0, 1);
    held -= batch.events.length;
    lose();
  }
}

function lose() {
  dropped++;
  lost++;
}

/** Once something can be sent again: what is told makes events. */
function tellOfLoss() {
  if (lost) quietly(onLoss, lost);
  lost = 0;
}

/** @param {Batch} batch */
const bodyOf = ({ session, sequence, events }) =>
  JSON.stringify({ org: organisation, session, tab, sequence, sent: Date.now(), dropped, user })
    .replace(/\}$/, () => `,"events":[${events}]}`);

/**
 * @param {BodyInit} body
 * @param {boolean} isGzip
 * @param {boolean} keepalive
 */
const post = (body, isGzip, keepalive) =>
  plainFetch.call(window, endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(isGzip && { 'Content-Encoding': 'gzip' }) },
    body,
    keepalive,
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'origin',
  });

const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);

/** @param {string} text @returns {Promise<ArrayBuffer | undefined>} nothing where a browser can't */
async function gzip(text) {
  try {
    const { readable, writable } = new CompressionStream('gzip');
    const writer = writable.getWriter();
    writer.write(bytes(text)).then(() => writer.close()).catch(() => {});
    return await new Response(readable).arrayBuffer();
  } catch {
    counts.failures++;
  }
}

async function pump() {
  if (isSending || refused) return;
  isSending = true;
  try {
    await sendAll();
  } catch {
    counts.failures++;
  }
  isSending = false;
}

async function sendAll() {
  for (let tries = 0; batches.length && !refused; ) {
    const { status, after } = await attempt(batches[0]);
    if (status >= 200 && status < 300) {
      batches.shift();
      tries = 0;
      tellOfLoss();
    } else if (status && status < 500 && status != 429) {
      batches.shift();
      if (status == 403) refuse();
      else {
        lose();
        tellOfLoss();
      }
    } else {
      // Others of the same page wait a different time.
      const backOff = Math.min(LONGEST_BACK_OFF, 1_000 * 2 ** tries++) * (0.5 + Math.random() / 2);
      await new Promise((done) => { setTimeout(wake = () => done(0), Math.max(backOff, after * 1_000)); });
    }
  }
}

/** @param {Batch} batch */
async function attempt(batch) {
  try {
    const text = bodyOf(batch);
    const packed = await gzip(text);
    const isSmall = (packed?.byteLength ?? text.length * 3) < LAST;
    const answer = await post(packed ?? text, !!packed, isSmall && document.visibilityState == 'hidden');
    return { status: answer.status, after: Number(answer.headers.get('Retry-After')) || 0 };
  } catch {
    return { status: 0, after: 0 };
  }
}

/** The viewer does not want this page's: there is no use in asking again. */
function refuse() {
  refused = true;
  batches.length = 0;
  events = [];
  window.console?.info?.(`Qorrelate: ${endpoint} takes no recording of "${organisation}" from ${location.origin}.`);
  end.abort();
}

/** The page may be gone right after: there is no time to compress, and only so much is sent. */
function sendRest() {
  cut(LAST / 4);
  if (refused) return;
  let left = LAST;
  // Also what is being sent, which ends with the page: a batch that arrives twice is taken once.
  for (const batch of batches) {
    const body = bytes(bodyOf(batch));
    const fits = body.length <= left;
    if (fits) left -= body.length;
    post(body, false, fits).catch(() => {});
  }
}

/** After all others, which may have something to add when the page goes. */
export function start() {
  listen(window, 'pagehide', sendRest);
  listen(window, 'online', () => wake?.());
  listen(document, 'visibilitychange', () => document.visibilityState == 'hidden' && flush());
}
