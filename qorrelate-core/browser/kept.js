// Tells the page when a response says that the backend keeps its session: README.md beside this file.
(() => {
  const { header = 'X-Session-Kept', origins = '' } = document.currentScript?.dataset ?? {};
  const trusted = [location.origin, ...origins.split(/[\s,]+/).filter(Boolean).map((url) => new URL(url).origin)];

  // `null` before there was any: the ID may be unknown.
  let kept = null;
  const look = (url, headerOf) => {
    // Nothing in here may be seen to fail by the page.
    try {
      // What another origin does not expose is not asked for: the browser would complain on the console.
      if (!url || !trusted.includes(new URL(url).origin) || !headerOf(header)) return;
      const id = window.qorrelate?.id();
      if (kept === id) return;
      kept = id;
      dispatchEvent(new CustomEvent('qorrelate-kept', { detail: { id } }));
    } catch {}
  };

  window.fetch = new Proxy(window.fetch, {
    apply: (fetch, self, given) => Reflect.apply(fetch, self, given).then((response) => {
      look(response.url, (name) => response.headers.get(name));
      // Handed on, so that a failure nobody handles is still reported as such.
      return response;
    }),
  });

  const { prototype } = XMLHttpRequest;
  prototype.send = new Proxy(prototype.send, {
    apply(send, xhr, given) {
      // A second `send` of the same object adds nothing.
      xhr.addEventListener?.('load', onLoad);
      return Reflect.apply(send, xhr, given);
    },
  });
  function onLoad() {
    look(this.responseURL, (name) => this.getResponseHeader(name));
  }
})();
