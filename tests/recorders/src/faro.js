import { initializeFaro } from '@grafana/faro-web-sdk';

window.faro = initializeFaro({ url: `${location.origin}/intake`, app: { name: 'page' } });
window.recorderId = () => faro.api.getSession()?.id;
