import { Counter, register } from 'prom-client';

const NAME = 'rahatback_socket_refusals_total';

/** One counter per process, also when a test starts several applications in one. */
const refusals = (): Counter<'reason'> =>
  (register.getSingleMetric(NAME) as Counter<'reason'> | undefined) ??
  new Counter({ name: NAME, help: 'Sockets and frames that were refused, by reason.', labelNames: ['reason'] });

/** `reason`: a short word of ours, never text of the sender. */
export const countRefusal = (reason: string): void => refusals().inc({ reason });
