import posthog from 'posthog-js';

posthog.init('phc_test', {
  api_host: location.origin,
  tracing_headers: page.origins.map((origin) => new URL(origin).hostname),
  disable_session_recording: true,
  person_profiles: 'always',
});
posthog.identify('anna@example.com');
window.posthog = posthog;
window.recorderId = () => posthog.get_session_id();
