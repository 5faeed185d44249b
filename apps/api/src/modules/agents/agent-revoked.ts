import type { ErrorBody } from '@rahatback/contracts';

/** What a revoked agent is told, and what becomes of its work. */
export const REVOKED: ErrorBody = {
  code: 'AGENT_REVOKED',
  message: 'This agent was revoked. Enrol it again with a new code if it is still needed.',
};
