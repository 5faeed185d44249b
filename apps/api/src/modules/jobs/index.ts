export { JobRow } from './job.entity.js';
