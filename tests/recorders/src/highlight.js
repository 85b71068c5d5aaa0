import { H } from 'highlight.run';

H.init('1', {
  backendUrl: `${location.origin}/intake`,
  otlpEndpoint: `${location.origin}/intake`,
  tracingOrigins: page.origins.map((origin) => new URL(origin).host),
  disableSessionRecording: true,
});
window.recorderId = () => JSON.parse(sessionStorage.sessionData ?? '{}').sessionSecureID;
