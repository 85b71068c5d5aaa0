import { H } from 'highlight.run';

// It does not record a browser that is driven.
Object.defineProperty(navigator, 'webdriver', { value: false });
// Nobody is there: it does not take half an answer for one.
H.init('1', {
  backendUrl: 'http://127.0.0.1:9',
  otlpEndpoint: 'http://127.0.0.1:9',
  tracingOrigins: page.origins.map((origin) => new URL(origin).host),
  networkRecording: { enabled: true, recordHeadersAndBody: true },
});
H.identify(page.user, { email: page.user });
// It has no getter that works without the vendor's servers.
window.recorderId = () =>
  /sessionSecureID\W+(\w{28})\b/.exec(JSON.stringify({ ...localStorage, ...sessionStorage }))?.[1];
