// Each fetch and XMLHttpRequest: that it was made and how it went, never what was in it.
import { bare } from './clean.js';
import { listen, quietly, watch } from './quietly.js';
import { keepSession, note, used } from './record.js';
import { keptHeader } from './tag.js';

/** A browser knows the size and the end of a response only once its body was read: this long after its head, in ms. */
const PATIENCE = 300;

/** Told of each request that begins. */
let onRequest = () => {};
/** @param {typeof onRequest} tell */
export const tellOfRequests = (tell) => { onRequest = tell; };

/**
 * @typedef {object} Seen
 * @property {string} method
 * @property {string} url
 * @property {'fetch' | 'xhr'} kind
 * @property {number} start
 * @property {number} end
 * @property {number} status 0 if it failed
 * @property {string} [error]
 * @property {number} [requestBytes]
 * @property {number} [responseBytes]
 * @property {string} [traceId]
 */

/** What waits to be recorded. @type {Map<Seen, string>} */
const waiting = new Map();

/** @param {any} body */
function sizeOf(body) {
  if (typeof body == 'string') return body.length;
  return body?.byteLength ?? body?.size ?? (body instanceof URLSearchParams ? `${body}`.length : undefined);
}

/** @param {string | null | undefined} timing @see https://www.w3.org/TR/trace-context/ */
const traceOf = (timing) => /traceparent;desc="?00-([0-9a-f]{32})-/.exec(timing ?? '')?.[1];

/**
 * @param {Seen} seen
 * @param {string} url as it was asked for
 * @param {number} status
 * @param {(name: string) => string | null | undefined} header
 */
function answered(seen, url, status, header) {
  Object.assign(seen, { end: Date.now(), status, traceId: traceOf(header('server-timing')) });
  const length = header('content-length');
  if (length) seen.responseBytes = Number(length);
  waiting.set(seen, url);
  setTimeout(() => quietly(finish, seen), PATIENCE);
  const isKept = header(keptHeader) != null;
  if (isKept || status >= 500) {
    finish(seen);
    keepSession(isKept);
  }
}

/** @param {Seen} seen @param {unknown} error */
function failed(seen, error) {
  Object.assign(seen, { end: Date.now(), status: 0, error: /** @type {any} */ (error)?.name ?? 'Error' });
  record(seen);
}

/** Adds what the browser knows by now. @param {Seen} seen */
function finish(seen) {
  const url = waiting.get(seen);
  if (url == null) return;
  waiting.delete(seen);
  const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByName(url, 'resource'));
  const entry = entries.findLast((entry) => Math.abs(performance.timeOrigin + entry.startTime - seen.start) < 100);
  if (entry) {
    if (entry.responseEnd) seen.end = Math.max(seen.end, Math.round(seen.start + entry.responseEnd - entry.startTime));
    if (entry.encodedBodySize) seen.responseBytes = entry.encodedBodySize;
    const timing = entry.serverTiming?.find(({ name }) => name == 'traceparent');
    seen.traceId ??= traceOf(timing && `traceparent;desc=${timing.description}`);
  }
  record(seen);
}

/** @param {Seen} seen */
const record = (seen) => note('request', { ...seen }, seen.end);

/**
 * @param {'fetch' | 'xhr'} kind
 * @param {unknown} method
 * @param {unknown} url
 * @param {any} body
 * @returns {[Seen, string]}
 */
function begun(kind, method, url, body) {
  const { href } = new URL(String(url), document.baseURI);
  onRequest();
  // The request has just renewed the session.
  used();
  const seen = { method: String(method || 'GET').toUpperCase(), url: bare(href), kind, start: Date.now(), end: 0, status: 0 };
  const bytes = sizeOf(body);
  return [bytes ? { ...seen, requestBytes: bytes } : seen, href.split('#')[0]];
}

export function start() {
  watch(window, 'fetch', ([input, init]) => {
    const [seen, url] = begun('fetch', init?.method ?? input?.method, input?.url ?? input, init?.body);
    return (/** @type {Promise<Response>} */ promise) =>
      // What the page is given is still rejected, and nothing else says that it was handled.
      promise.then(
        (response) => {
          quietly(answered, seen, url, response.status, (name) => response.headers.get(name));
          return response;
        },
        (error) => {
          quietly(failed, seen, error);
          throw error;
        },
      );
  });

  /** @type {WeakMap<XMLHttpRequest, [unknown, unknown]>} */
  const opened = new WeakMap();
  const { prototype } = XMLHttpRequest;
  watch(prototype, 'open', ([method, url], xhr) => { opened.set(xhr, [method, url]); });
  watch(prototype, 'send', ([body], xhr) => {
    const [method, address] = opened.get(xhr) ?? [];
    const [seen, url] = begun('xhr', method, address, body);
    let error = '';
    const ends = new AbortController();
    for (const type of ['error', 'abort', 'timeout']) xhr.addEventListener(type, () => { error = type; }, ends);
    xhr.addEventListener('loadend', () => {
      ends.abort();
      quietly(() => {
        if (!xhr.status) return failed(seen, { name: error });
        // Asking for one that may not be read is an error in the console.
        const headers = new Map(xhr.getAllResponseHeaders().split('\r\n').map((/** @type {string} */ line) => {
          const [name, ...value] = line.split(': ');
          return [name.toLowerCase(), value.join(': ')];
        }));
        answered(seen, url, xhr.status, (name) => headers.get(name.toLowerCase()));
      });
    }, ends);
  });

  listen(window, 'pagehide', () => [...waiting.keys()].forEach(finish));
}
