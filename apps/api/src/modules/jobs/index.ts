export { JobRow, type JobPassphrase } from './job.entity.js';
export { JobDirectory } from './job-directory.js';
export { JobsModule } from './jobs.module.js';
