import { initializeFaro } from '@grafana/faro-web-sdk';

window.faro = initializeFaro({ url: `${location.origin}/intake`, app: { name: 'page' } });
faro.api.setUser({ id: page.user, email: page.user });
window.recorderId = () => faro.api.getSession()?.id;
