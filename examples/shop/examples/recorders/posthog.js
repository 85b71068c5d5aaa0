import posthog from 'posthog-js';
// Which it would load from the vendor's servers.
import 'posthog-js/dist/posthog-recorder';

posthog.init('phc_test', {
  api_host: window.intake,
  person_profiles: 'always',
  // It does not record a browser that is driven.
  opt_out_useragent_filter: true,
});
posthog.startSessionRecording(true);
window.posthog = posthog;
