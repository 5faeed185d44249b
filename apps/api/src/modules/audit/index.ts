export { AuditModule } from './audit.module.js';
export { AuditTrail } from './audit-trail.service.js';
export type { AuditActor, AuditRecord } from './audit-trail.service.js';
