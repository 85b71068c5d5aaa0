import posthog from 'posthog-js';
// Which it would load from the vendor's servers.
import 'posthog-js/dist/tracing-headers';

posthog.init('phc_test', {
  api_host: location.origin,
  // Without it, the page has to send the ID by other means.
  tracing_headers: page.isSampled ? page.origins.map((origin) => new URL(origin).hostname) : [],
  disable_session_recording: true,
  person_profiles: 'always',
});
posthog.identify(page.user);
window.posthog = posthog;
window.recorderId = () => posthog.get_session_id();
