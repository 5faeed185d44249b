/** Where a process of the API may die during a backup: what the whole-system crash suite goes through, one by one. */
export const API_CRASH_POINTS = [
  'api.outbox.after_commit',
  'api.backup.after_commit',
  'api.upload.after_begin',
  'api.upload.before_complete',
  'api.upload.after_complete',
  'api.publish.before_put',
  'api.publish.after_put',
  'api.publish.after_commit',
  'worker.dispatch.before_send',
  'worker.dispatch.after_send',
  'worker.cleanup.mid',
  'worker.delete.after_manifest',
  'worker.watchdog.mid',
] as const;
