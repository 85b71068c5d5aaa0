// One session ID per browser session, sent as X-Session-ID with every request to the page's own origin:
// what a session recorder does, in its smallest form. Load it before any script that makes requests.
'use strict';

(() => {
  const HEADER = 'X-Session-ID';
  const KEY = 'shop.session';

  function browserSession() {
    try {
      let id = sessionStorage.getItem(KEY);
      if (!id) sessionStorage.setItem(KEY, (id = crypto.randomUUID()));
      return id;
    } catch {
      // Storage may be forbidden: then the session lasts as long as the page.
      return crypto.randomUUID();
    }
  }

  const id = browserSession();

  function own(url) {
    try {
      return new URL(url, document.baseURI).origin === location.origin;
    } catch {
      // Not a URL: the browser says so itself.
      return false;
    }
  }

  const plainFetch = window.fetch;
  window.fetch = function fetch(input, init) {
    const url = input instanceof Request ? input.url : String(input);
    if (!own(url)) return plainFetch.call(this, input, init);
    const request = new Request(input, init);
    request.headers.set(HEADER, id);
    return plainFetch.call(this, request);
  };

  const plainOpen = XMLHttpRequest.prototype.open;
  const plainSend = XMLHttpRequest.prototype.send;
  const toOwnOrigin = new WeakSet();
  XMLHttpRequest.prototype.open = function open(method, url, ...rest) {
    plainOpen.call(this, method, url, ...(rest.length ? rest : [true]));
    if (own(url)) toOwnOrigin.add(this);
    else toOwnOrigin.delete(this);
  };
  XMLHttpRequest.prototype.send = function send(body) {
    if (toOwnOrigin.has(this)) this.setRequestHeader(HEADER, id);
    return plainSend.call(this, body);
  };

  window.shopSession = {
    id,
    startAnew() {
      try { sessionStorage.removeItem(KEY); } catch { /* nothing was stored */ }
      location.reload();
    },
  };
})();
