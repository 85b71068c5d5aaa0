import * as Sentry from '@sentry/browser';

Sentry.init({
  dsn: `http://key@${location.host}/1`,
  integrations: [Sentry.browserTracingIntegration(), Sentry.replayIntegration()],
  tracesSampleRate: 1,
  // Not sampled: it only buffers, until there is an error.
  replaysSessionSampleRate: page.isSampled ? 1 : 0,
  replaysOnErrorSampleRate: 1,
  tracePropagationTargets: page.origins,
});
Sentry.setUser({ id: page.user, email: page.user });
window.recorderId = () => Sentry.getReplay()?.getReplayId(true);
