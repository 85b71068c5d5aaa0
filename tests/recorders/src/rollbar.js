import Rollbar from 'rollbar';

const rollbar = new Rollbar({
  accessToken: 'token',
  endpoint: `${location.origin}/intake/`,
  captureUncaught: true,
  payload: { person: { id: page.user, email: page.user } },
  tracing: {
    enabled: true,
    endpoint: `${location.origin}/intake/`,
    propagation: {
      enabledHeaders: ['baggage'],
      enabledCorsUrls: page.origins.map((origin) => new RegExp(`^${origin}`)),
    },
  },
});
window.recorderId = () => rollbar.tracing?.sessionId;
