// Sends a session ID with a page's requests. What the attributes of the script mean: README.md beside this file.
(() => {
  const page = document;
  const options = page.currentScript?.dataset ?? {};
  if (window.qorrelate) return;

  const header = options.header || 'X-Session-ID';
  const origins = [location.origin, ...(options.origins || '').split(/[\s,]+/)];
  const idle = (options.idle || 15) * 6e4;
  const longest = (options.longest || 240) * 6e4;
  const { cookie, query } = options;
  const isShared = 'shared' in options || cookie;
  const isId = (id) => id && /^[\w.~:/+=-]{1,128}$/.test(id);
  const key = 'qorrelate';

  const cookieOf = (name) => `; ${page.cookie}`.split(`; ${name}=`)[1]?.split(';')[0];
  const recorders = {
    amplitude: () => amplitude.getDeviceId() + '/' + amplitude.getSessionId(),
    'app-insights': () => appInsights.context.sessionManager.automaticSession.id,
    coralogix: () => CoralogixRum.getSessionId(),
    faro: () => faro.api.getSession().id,
    hyperdx: () => HyperDX.getSessionId(),
    mixpanel: () => mixpanel.get_session_recording_properties().$mp_replay_id,
    posthog: () => posthog.get_session_id(),
    splunk: () => SplunkRum.getSessionId(),
  };

  // Of this page alone, where the browser lets it store nothing.
  let session;
  const storage = () => (isShared ? localStorage : sessionStorage);
  // crypto.randomUUID is missing where a page is not served securely.
  const newId = () =>
    [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, 0)).join('');
  const own = () => {
    const now = Date.now();
    const known = cookie && cookieOf(cookie);
    try { session = JSON.parse(storage()[key]); } catch {}
    if (isId(known) && session?.id != known) session = { id: known, start: now, last: now };
    if (!isId(session?.id) || !(now - session.last < idle && now - session.start < longest))
      session = { id: newId(), start: now };
    session.last = now;
    try { storage()[key] = JSON.stringify(session); } catch {}
    return session.id;
  };

  let idFrom = options.idFrom ? recorders[options.idFrom] : own;
  const id = () => {
    try {
      const id = idFrom();
      if (!isId(id)) return;
      if (cookie) page.cookie = `${cookie}=${id};path=/;samesite=lax;max-age=${idle / 1e3}`;
      return id;
    } catch {}
  };
  const idFor = (url) =>
    origins.includes(new URL(url, page.baseURI).origin.replace(/^ws/, 'http')) && id();

  window.qorrelate = { id, idFrom: (get) => { idFrom = get; } };

  // A tab that was duplicated comes with a copy of a session that is still in use.
  if (window == parent && !isShared) {
    try {
      const mark = () => { sessionStorage[key + '.open'] = 1; };
      if (sessionStorage[key + '.open']) delete sessionStorage[key];
      mark();
      addEventListener('pageshow', mark);
      addEventListener('pagehide', () => { delete sessionStorage[key + '.open']; });
    } catch {}
  }
  if (idFrom == own) ['click', 'keydown'].map((use) => addEventListener(use, id, true));
  if (cookie) id();

  const { fetch } = window;
  window.fetch = function (...given) {
    try {
      const [input, init] = given;
      const isRequest = input instanceof Request;
      const id = given.length && idFor(isRequest ? input.url : input);
      if (id && isRequest) {
        const request = new Request(input, init);
        request.headers.has(header) || request.headers.set(header, id);
        given = [request];
      } else if (id) {
        const headers = new Headers(init?.headers);
        headers.has(header) || headers.set(header, id);
        given[1] = { headers };
        // Also what it inherits, as fetch looks at that too.
        for (const name in init) if (name != 'headers') given[1][name] = init[name];
      }
    } catch {}
    return fetch.apply(this, given);
  };

  const { prototype } = XMLHttpRequest;
  const { open, send, setRequestHeader } = prototype;
  const urls = new WeakMap();
  prototype.open = function (method, url) {
    urls.set(this, url);
    return open.apply(this, arguments);
  };
  prototype.setRequestHeader = function (name) {
    if (`${name}`.toLowerCase() == header.toLowerCase()) urls.delete(this);
    return setRequestHeader.apply(this, arguments);
  };
  prototype.send = function () {
    try {
      const id = urls.has(this) && idFor(urls.get(this));
      if (id) setRequestHeader.call(this, header, id);
    } catch {}
    return send.apply(this, arguments);
  };

  if (query) {
    const tagged = (url) => {
      try {
        const id = idFor(url);
        const whole = new URL(url, page.baseURI);
        if (id && !whole.searchParams.has(query)) {
          whole.search += `${whole.search ? '&' : '?'}${query}=${encodeURIComponent(id)}`;
          return whole.href;
        }
      } catch {}
      return url;
    };
    for (const name of ['EventSource', 'WebSocket'])
      window[name] = new Proxy(window[name], {
        construct: (target, [url, ...rest], made) =>
          Reflect.construct(target, [tagged(url), ...rest], made),
      });
    const { sendBeacon } = Navigator.prototype;
    Navigator.prototype.sendBeacon = function (url, ...rest) {
      return sendBeacon.call(this, tagged(url), ...rest);
    };
  }
})();
