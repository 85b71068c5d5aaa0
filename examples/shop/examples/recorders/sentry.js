import * as Sentry from '@sentry/browser';

Sentry.init({
  dsn: window.intake.replace('://', '://key@') + '/1',
  integrations: [Sentry.replayIntegration()],
  replaysSessionSampleRate: 1,
});
