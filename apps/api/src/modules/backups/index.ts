export { BackupsModule } from './backups.module.js';
export { API_CRASH_POINTS } from './crash-points.js';
export { BackupRow } from './backup.entity.js';
export { locationOf } from './backup-chain.js';
export { chainLocked, timeLimitOf } from './backup-for-restore.js';
export { getBackup } from './backup.repository.js';
export {
  findAwaitingVerification,
  forgetAwaitingVerification,
  judgeBackup,
  lockForJudgement,
  markDamaged,
  type AwaitingVerification,
  type Judgement,
} from './backup-judgement.repository.js';
export { failureOf, fieldsOf, progressOf, reportOf, textOf, uuidOf, wordsOf, type Words } from './agent-frames.js';
export { OneAtATime, Throttle } from './one-at-a-time.js';
export { BackupAttemptRow } from './backup-attempt.entity.js';
export { BackupObjectRow } from './backup-object.entity.js';
export { attemptPrefix, keepStamp, objectsOf } from './backup-object.repository.js';
export { originOf } from './backup-chain.js';
export { sha256Hex } from './manifest-acceptance.js';
