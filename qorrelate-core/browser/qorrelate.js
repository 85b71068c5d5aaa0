// Sends a session ID with a page's requests. What the attributes of the script mean: README.md beside this file.
(() => {
  const page = document;
  if (window.qorrelate) return;

  const {
    header = 'X-Session-ID', origins = '', idle = 15, longest = 240, cookie, cookieWith = '', query, shared, idFrom,
  } = page.currentScript?.dataset ?? {};
  // If no header can have that name, the browser says so here, once, and not to the page's requests.
  new Headers().has(header);

  // Nothing in here may be seen to fail by the page.
  const quietly = (work) => { try { return work(); } catch {} };
  // Some recorders say `undefined/undefined` before they have an ID.
  const isId = (id) => id && /^(?!.*\b(undefined|null)\b)[\w.~:/+=-]{1,128}$/.test(id);
  const cookieOf = (name) => `; ${page.cookie}`.split(`; ${name}=`)[1]?.split(';')[0];

  const first = (text) => text.split(/[|^%#]/)[0];
  const recorders = {
    amplitude: () => amplitude.getDeviceId() + '/' + amplitude.getSessionId(),
    'app-insights': () => first(cookieOf('ai_session')),
    'aws-rum': () => JSON.parse(atob(cookieOf('cwr_s'))).sessionId,
    clarity: () => first(cookieOf('_clck')) + '/' + first(cookieOf('_clsk')),
    coralogix: () => CoralogixRum.getSessionId(),
    dash0: () => first(localStorage.d0_session),
    elastic: () => JSON.parse(localStorage.elastic_apm_config).session.id,
    faro: () => faro.api.getSession().id,
    hyperdx: () => HyperDX.getSessionId(),
    mixpanel: () => mixpanel.get_session_recording_properties().$mp_replay_id,
    posthog: () => posthog.get_session_id(),
    splunk: () => SplunkRum.getSessionId(),
  };

  const isShared = cookie || shared != null;
  const stored = (value) => quietly(() => {
    const storage = isShared ? localStorage : sessionStorage;
    if (value) storage.qorrelate = value;
    return storage.qorrelate;
  });
  // Of this page alone, where the browser lets it store nothing.
  let session;
  const own = () => {
    const now = Date.now();
    session = stored() || session;
    let [id, start, last] = `${session}`.split(' ');
    const known = cookie && cookieOf(cookie);
    if (isId(known) && known != id) [id, start, last] = [known, now, now];
    if (!isId(id) || !(now - last < idle * 6e4 && now - start < longest * 6e4)) {
      // crypto.randomUUID is missing where a page is not served securely.
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      id = bytes.reduce((id, byte) => id + (byte + 256).toString(16).slice(1), '');
      start = now;
    }
    stored(session = `${id} ${start} ${now}`);
    return id;
  };

  let getId = idFrom ? recorders[idFrom] : own;
  const id = () => quietly(() => {
    const id = getId();
    if (!isId(id)) return;
    if (cookie) page.cookie = `${cookie}=${id};path=/;samesite=lax;max-age=${idle * 60};${cookieWith}`;
    return id;
  });
  const idFor = (url) => {
    const { origin } = new URL(url, page.baseURI);
    // The first is empty: the page's own.
    return ` ${origins}`.split(/[\s,]+/)
      .some((named) => new URL(named, location).origin == origin.replace(/^ws/, 'http')) && id();
  };

  window.qorrelate = { id, idFrom: (get) => { getId = get; } };

  if (getId == own) {
    if (window == top && !isShared) {
      // A tab that was duplicated comes with a copy of a session that nobody has left.
      if (!/left$/.test(stored())) stored('none');
      addEventListener('pagehide', () => stored(stored() + ' left'));
    }
    ['click', 'keydown', 'pageshow'].map((use) => addEventListener(use, id, true));
  }
  id();

  // `change` may replace what the function or constructor is given.
  const patch = (owner, name, change) => {
    owner[name] = new Proxy(owner[name], {
      apply(call, self, given) {
        quietly(() => change(given, self));
        return Reflect.apply(call, self, given);
      },
      construct(type, given, made) {
        quietly(() => change(given));
        return Reflect.construct(type, given, made);
      },
    });
  };

  patch(window, 'fetch', (given) => {
    const [input, init] = given;
    // Also one of another frame, which is no instance of this frame's Request.
    const isRequest = input.url;
    const id = idFor(input.url || input);
    if (!id) return;
    let changed = {};
    if (isRequest) changed = new Request(input, init);
    else {
      // Also what it inherits, as fetch looks at that too.
      for (const name in init) changed[name] = init[name];
      changed.headers = new Headers(changed.headers);
    }
    changed.headers.has(header) || changed.headers.set(header, id);
    [given[0], given[1]] = isRequest ? [changed] : [input, changed];
  });

  const { prototype } = XMLHttpRequest;
  const address = Symbol();
  patch(prototype, 'open', ([, url], xhr) => { xhr[address] = url; });
  patch(prototype, 'setRequestHeader', ([name], xhr) => {
    if (new Headers([[name, 1]]).has(header)) delete xhr[address];
  });
  patch(prototype, 'send', (_, xhr) => {
    const id = address in xhr && idFor(xhr[address]);
    if (id) xhr.setRequestHeader(header, id);
  });

  if (query) {
    const tag = (given) => {
      const url = new URL(given[0], page.baseURI);
      const id = given.length && !url.searchParams.has(query) && idFor(url);
      if (id) {
        url.search += (url.search && '&') + `${query}=${encodeURIComponent(id)}`;
        given[0] = url.href;
      }
    };
    patch(window, 'EventSource', tag);
    patch(window, 'WebSocket', tag);
    patch(Navigator.prototype, 'sendBeacon', tag);
  }
})();
