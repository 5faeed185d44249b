// Written by tools/openapi/answer-schemas.ts from the controllers and libs/contracts; a test holds it fresh.

/** JSON schema of what a controller method answers, by `Class.method`. */
export const ANSWERS: Readonly<Record<string, string>> = {
  'AgentsController.createCode': '{"$ref":"#/components/schemas/EnrolCodeView"}',
  'AgentsController.enrol': '{"$ref":"#/components/schemas/EnrolAnswer"}',
  'AgentsController.get': '{"$ref":"#/components/schemas/AgentView"}',
  'AgentsController.list': '{"$ref":"#/components/schemas/AgentViewPage"}',
  'AgentsController.reaccept': '{"$ref":"#/components/schemas/AgentView"}',
  'AgentsController.revoke': '{"$ref":"#/components/schemas/AgentView"}',
  'ApiTokensController.create': '{"$ref":"#/components/schemas/CreatedApiToken"}',
  'ApiTokensController.list': '{"type":"array","items":{"$ref":"#/components/schemas/ApiTokenView"}}',
  'AuditController.checkpoint': '{"$ref":"#/components/schemas/AuditCheckpointAnswer"}',
  'AuditController.list': '{"$ref":"#/components/schemas/AuditViewPage"}',
  'AuditController.verify': '{"$ref":"#/components/schemas/AuditVerification"}',
  'AuthController.login':
    '{"oneOf":[{"$ref":"#/components/schemas/SessionAnswer"},{"$ref":"#/components/schemas/LoginChallenge"}]}',
  'AuthController.loginWithCode': '{"$ref":"#/components/schemas/SessionAnswer"}',
  'AuthController.me': '{"$ref":"#/components/schemas/PersonView"}',
  'AuthController.refresh': '{"$ref":"#/components/schemas/TokenAnswer"}',
  'AuthController.register': '{"$ref":"#/components/schemas/SessionAnswer"}',
  'AuthController.stepUp': '{"$ref":"#/components/schemas/StepUpAnswer"}',
  'BackupArchiveController.request': '{"$ref":"#/components/schemas/DownloadAnswer"}',
  'BackupExportsController.start': '{"$ref":"#/components/schemas/ExportAnswer"}',
  'BackupExportsController.view': '{"$ref":"#/components/schemas/ExportView"}',
  'BackupsController.cancel': '{"$ref":"#/components/schemas/CancelAnswer"}',
  'BackupsController.detail': '{"$ref":"#/components/schemas/BackupDetailView"}',
  'BackupsController.list': '{"$ref":"#/components/schemas/BackupViewPage"}',
  'BackupsController.remove': '{"$ref":"#/components/schemas/DeleteAnswer"}',
  'BackupsController.run':
    '{"oneOf":[{"type":"object","properties":{"success":{"type":"boolean","enum":[true]},"status":{"type":"string","enum":["sent_to_agent"]},"message":{"type":"string"},"historyId":{"type":"string"}},"required":["success","status","message","historyId"]},{"type":"object","properties":{"success":{"type":"boolean","enum":[false]},"status":{"type":"string","enum":["skipped"]},"message":{"type":"string"},"historyId":{"type":"string"}},"required":["success","status","message","historyId"]}]}',
  'CatalogueController.import': '{"$ref":"#/components/schemas/ImportAnswer"}',
  'CatalogueController.readTrust': '{"$ref":"#/components/schemas/TrustAnswer"}',
  'CatalogueController.reconcile': '{"$ref":"#/components/schemas/ReconcileAnswer"}',
  'DatabasesController.create': '{"$ref":"#/components/schemas/DatabaseView"}',
  'DatabasesController.get': '{"$ref":"#/components/schemas/DatabaseView"}',
  'DatabasesController.list': '{"$ref":"#/components/schemas/DatabaseViewPage"}',
  'DatabasesController.rebindTo': '{"$ref":"#/components/schemas/DatabaseView"}',
  'DatabasesController.testSaved': '{"$ref":"#/components/schemas/ConnectionTestAnswer"}',
  'DatabasesController.testUnsaved': '{"$ref":"#/components/schemas/ConnectionTestAnswer"}',
  'DatabasesController.update': '{"$ref":"#/components/schemas/DatabaseView"}',
  'HealthController.live': '{"type":"object","properties":{"status":{"type":"string","enum":["ok"]}},"required":["status"]}',
  'HealthController.ready': '{"$ref":"#/components/schemas/Readiness"}',
  'HealthController.scrape': '{"type":"string"}',
  'JobsController.create': '{"$ref":"#/components/schemas/JobView"}',
  'JobsController.get': '{"$ref":"#/components/schemas/JobView"}',
  'JobsController.list': '{"$ref":"#/components/schemas/JobViewPage"}',
  'JobsController.update': '{"$ref":"#/components/schemas/JobView"}',
  'OwnAccountController.changePassword': '{"$ref":"#/components/schemas/PasswordAnswer"}',
  'OwnAccountController.endOthers': '{"$ref":"#/components/schemas/SessionsEndedAnswer"}',
  'OwnAccountController.list': '{"type":"array","items":{"$ref":"#/components/schemas/SessionView"}}',
  'RestoreController.cancel': '{"$ref":"#/components/schemas/RestoreView"}',
  'RestoreController.discard': '{"$ref":"#/components/schemas/RestoreView"}',
  'RestoreController.get': '{"$ref":"#/components/schemas/RestoreView"}',
  'RestoreController.keysFile': '{"$ref":"#/components/schemas/BackupKeysView"}',
  'RestoreController.list': '{"$ref":"#/components/schemas/RestoreViewPage"}',
  'RestoreController.preflight': '{"$ref":"#/components/schemas/PreflightAnswer"}',
  'RestoreController.start': '{"$ref":"#/components/schemas/RestoreAnswer"}',
  'RestoreController.swap': '{"$ref":"#/components/schemas/RestoreView"}',
  'RestoreController.undo': '{"$ref":"#/components/schemas/RestoreView"}',
  'StoragesController.create': '{"$ref":"#/components/schemas/StorageView"}',
  'StoragesController.get': '{"$ref":"#/components/schemas/StorageView"}',
  'StoragesController.list': '{"$ref":"#/components/schemas/StorageViewPage"}',
  'StoragesController.testSaved': '{"$ref":"#/components/schemas/StorageTestAnswer"}',
  'StoragesController.testUnsaved': '{"$ref":"#/components/schemas/StorageTestAnswer"}',
  'StoragesController.update': '{"$ref":"#/components/schemas/StorageView"}',
  'TotpController.confirm': '{"$ref":"#/components/schemas/RecoveryCodesAnswer"}',
  'TotpController.enrol': '{"$ref":"#/components/schemas/TotpEnrolment"}',
  'TotpController.read': '{"$ref":"#/components/schemas/TotpView"}',
  'TotpController.renewCodes': '{"$ref":"#/components/schemas/RecoveryCodesAnswer"}',
  'VerificationController.cancel': '{"$ref":"#/components/schemas/VerificationView"}',
  'VerificationController.get': '{"$ref":"#/components/schemas/VerificationView"}',
  'VerificationController.list': '{"$ref":"#/components/schemas/VerificationViewPage"}',
  'VerificationController.ofBackup': '{"$ref":"#/components/schemas/VerificationViewPage"}',
  'VerificationController.start': '{"$ref":"#/components/schemas/VerifyAnswer"}',
  'WorkspaceController.addMember': '{"$ref":"#/components/schemas/PersonView"}',
  'WorkspaceController.members': '{"type":"array","items":{"$ref":"#/components/schemas/PersonView"}}',
  'WorkspaceController.read': '{"$ref":"#/components/schemas/WorkspaceView"}',
  'WorkspaceController.update': '{"$ref":"#/components/schemas/WorkspaceView"}',
};

/** JSON schemas that the answers refer to, by name. */
export const SCHEMAS: Readonly<Record<string, string>> = {
  AgentKeysView:
    '{"type":"object","properties":{"agentId":{"type":"string"},"deviceName":{"type":"string"},"fingerprint":{"type":"string"},"signPublicKey":{"type":"string"},"sealPublicKey":{"type":"string"}},"required":["agentId","deviceName","fingerprint","signPublicKey","sealPublicKey"]}',
  AgentView:
    '{"type":"object","properties":{"id":{"type":"string"},"deviceName":{"type":"string"},"label":{"type":"string","nullable":true},"platform":{"type":"string"},"version":{"type":"string"},"status":{"type":"string","enum":["online","offline","quarantined","revoked"]},"fingerprint":{"type":"string"},"signPublicKey":{"type":"string"},"sealPublicKey":{"type":"string"},"tools":{"type":"array","items":{"$ref":"#/components/schemas/ToolVersion"}},"lastSeenAt":{"type":"string","nullable":true},"createdAt":{"type":"string"}},"required":["id","deviceName","label","platform","version","status","fingerprint","signPublicKey","sealPublicKey","tools","lastSeenAt","createdAt"]}',
  AgentViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/AgentView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  ApiTokenView:
    '{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"prefix":{"type":"string"},"scopes":{"type":"array","items":{"type":"string","enum":["read","backups:run","restores:run","setup:write","admin"]}},"userId":{"type":"string"},"createdAt":{"type":"string"},"expiresAt":{"type":"string"},"lastUsedAt":{"type":"string","nullable":true},"lastUsedIp":{"type":"string","nullable":true},"revokedAt":{"type":"string","nullable":true}},"required":["id","name","prefix","scopes","userId","createdAt","expiresAt","lastUsedAt","lastUsedIp","revokedAt"]}',
  AttemptStep:
    '{"type":"object","properties":{"name":{"type":"string"},"at":{"type":"string"},"detail":{"type":"string"}},"required":["name","at"]}',
  AttemptView:
    '{"type":"object","properties":{"fence":{"type":"number"},"attempt":{"type":"number"},"state":{"type":"string"},"startedAt":{"type":"string"},"endedAt":{"type":"string","nullable":true},"steps":{"type":"array","items":{"$ref":"#/components/schemas/AttemptStep"}},"logTail":{"type":"string","nullable":true},"errorCode":{"type":"string","nullable":true},"errorMessage":{"type":"string","nullable":true}},"required":["fence","attempt","state","startedAt","endedAt","steps","logTail","errorCode","errorMessage"]}',
  AuditBreak:
    '{"type":"object","properties":{"sequence":{"type":"number"},"id":{"type":"string","nullable":true},"reason":{"type":"string","enum":["row_changed","row_missing","row_unexpected","link_broken","tail_missing","checkpoint_mismatch","checkpoint_forged"]}},"required":["sequence","id","reason"]}',
  AuditCheckpoint:
    '{"type":"object","properties":{"workspaceId":{"type":"string"},"sequence":{"type":"number"},"hash":{"type":"string"},"at":{"type":"string"},"keyId":{"type":"string"},"signature":{"type":"string"}},"required":["workspaceId","sequence","hash","at","keyId","signature"]}',
  AuditCheckpointAnswer:
    '{"type":"object","properties":{"checkpoint":{"$ref":"#/components/schemas/AuditCheckpoint"},"publicKey":{"type":"string"}},"required":["checkpoint","publicKey"]}',
  AuditVerification:
    '{"type":"object","properties":{"rows":{"type":"number"},"chained":{"type":"number"},"unchained":{"type":"number"},"ok":{"type":"boolean"},"brokenAt":{"allOf":[{"$ref":"#/components/schemas/AuditBreak"}],"nullable":true},"checkpoints":{"type":"number"}},"required":["rows","chained","unchained","ok","brokenAt","checkpoints"]}',
  AuditView:
    '{"type":"object","properties":{"id":{"type":"string"},"at":{"type":"string"},"actorType":{"type":"string","enum":["user","agent","system","anonymous"]},"actorId":{"type":"string","nullable":true},"action":{"type":"string"},"targetType":{"type":"string","nullable":true},"targetId":{"type":"string","nullable":true},"outcome":{"type":"string","enum":["success","failure"]},"ip":{"type":"string","nullable":true},"apiToken":{"type":"string","nullable":true},"sequence":{"type":"number","nullable":true},"hash":{"type":"string","nullable":true}},"required":["id","at","actorType","actorId","action","targetType","targetId","outcome","ip","apiToken","sequence","hash"]}',
  AuditViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/AuditView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  BackupDetailView:
    '{"type":"object","properties":{"deletionError":{"type":"object","properties":{"code":{"type":"string"},"message":{"type":"string"}},"required":["code","message"],"nullable":true},"attempts":{"type":"array","items":{"$ref":"#/components/schemas/AttemptView"}},"id":{"type":"string"},"jobId":{"type":"string"},"databaseId":{"type":"string"},"status":{"type":"string","enum":["success","running","failed","cancelled","skipped"]},"backupType":{"type":"string","enum":["full","incremental","differential"]},"compression":{"type":"string","enum":["none","gzip","zstd"]},"storageType":{"type":"string","enum":["local","s3","google_drive"]},"connection":{"type":"string","enum":["connected","lost"],"nullable":true},"startedAt":{"type":"string"},"completedAt":{"type":"string","nullable":true},"durationMs":{"type":"number","nullable":true},"sizeBytes":{"type":"number","nullable":true},"storedBytes":{"type":"number","nullable":true},"bytesPerSecond":{"type":"number","nullable":true},"chainId":{"type":"string","nullable":true},"baseBackupId":{"type":"string","nullable":true},"progress":{"allOf":[{"$ref":"#/components/schemas/BackupProgressView"}],"nullable":true},"errorCode":{"type":"string","nullable":true},"errorMessage":{"type":"string","nullable":true},"verificationStatus":{"type":"string","enum":["PENDING","PASSED","FAILED","SKIPPED"],"nullable":true},"verificationLevel":{"type":"string","enum":["BASIC","DATABASE","FULL"],"nullable":true},"verifiedAt":{"type":"string","nullable":true},"measuredRestoreMs":{"type":"number","nullable":true},"damage":{"type":"string","nullable":true},"deletingAt":{"type":"string","nullable":true},"lastRestoreStatus":{"type":"string","enum":["success","running","failed","cancelled"],"nullable":true},"lastRestoreAt":{"type":"string","nullable":true}},"required":["deletionError","attempts","id","jobId","databaseId","status","backupType","compression","storageType","connection","startedAt","completedAt","durationMs","sizeBytes","storedBytes","bytesPerSecond","chainId","baseBackupId","progress","errorCode","errorMessage","verificationStatus","verificationLevel","verifiedAt","measuredRestoreMs","damage","deletingAt","lastRestoreStatus","lastRestoreAt"]}',
  BackupKeysView:
    '{"type":"object","properties":{"backupId":{"type":"string"},"keysFile":{"type":"string"},"maker":{"$ref":"#/components/schemas/AgentKeysView"},"receiver":{"$ref":"#/components/schemas/AgentKeysView"},"binding":{"type":"object","properties":{"agentId":{"type":"string"},"purpose":{"type":"string","enum":["backup-key"]},"subject":{"type":"string"},"version":{"type":"number"}},"required":["agentId","purpose","subject","version"]}},"required":["backupId","keysFile","maker","receiver","binding"]}',
  BackupProgressView:
    '{"type":"object","properties":{"progress":{"type":"number"},"currentStep":{"type":"string"},"bytesRead":{"type":"number"},"bytesStored":{"type":"number"},"bytesPerSecond":{"type":"number"},"etaSeconds":{"type":"number","nullable":true}},"required":["progress","currentStep","bytesRead","bytesStored","bytesPerSecond","etaSeconds"]}',
  BackupView:
    '{"type":"object","properties":{"id":{"type":"string"},"jobId":{"type":"string"},"databaseId":{"type":"string"},"status":{"type":"string","enum":["success","running","failed","cancelled","skipped"]},"backupType":{"type":"string","enum":["full","incremental","differential"]},"compression":{"type":"string","enum":["none","gzip","zstd"]},"storageType":{"type":"string","enum":["local","s3","google_drive"]},"connection":{"type":"string","enum":["connected","lost"],"nullable":true},"startedAt":{"type":"string"},"completedAt":{"type":"string","nullable":true},"durationMs":{"type":"number","nullable":true},"sizeBytes":{"type":"number","nullable":true},"storedBytes":{"type":"number","nullable":true},"bytesPerSecond":{"type":"number","nullable":true},"chainId":{"type":"string","nullable":true},"baseBackupId":{"type":"string","nullable":true},"progress":{"allOf":[{"$ref":"#/components/schemas/BackupProgressView"}],"nullable":true},"errorCode":{"type":"string","nullable":true},"errorMessage":{"type":"string","nullable":true},"verificationStatus":{"type":"string","enum":["PENDING","PASSED","FAILED","SKIPPED"],"nullable":true},"verificationLevel":{"type":"string","enum":["BASIC","DATABASE","FULL"],"nullable":true},"verifiedAt":{"type":"string","nullable":true},"measuredRestoreMs":{"type":"number","nullable":true},"damage":{"type":"string","nullable":true},"deletingAt":{"type":"string","nullable":true},"lastRestoreStatus":{"type":"string","enum":["success","running","failed","cancelled"],"nullable":true},"lastRestoreAt":{"type":"string","nullable":true}},"required":["id","jobId","databaseId","status","backupType","compression","storageType","connection","startedAt","completedAt","durationMs","sizeBytes","storedBytes","bytesPerSecond","chainId","baseBackupId","progress","errorCode","errorMessage","verificationStatus","verificationLevel","verifiedAt","measuredRestoreMs","damage","deletingAt","lastRestoreStatus","lastRestoreAt"]}',
  BackupViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/BackupView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  CancelAnswer:
    '{"type":"object","properties":{"success":{"type":"boolean","enum":[true]},"status":{"type":"string","enum":["cancelled"]},"message":{"type":"string"},"historyId":{"type":"string"}},"required":["success","status","message","historyId"]}',
  CatalogueDifference:
    '{"type":"object","properties":{"kind":{"type":"string","enum":["missing","orphaned","altered"]},"key":{"type":"string"},"backupId":{"type":"string","nullable":true},"message":{"type":"string"}},"required":["kind","key","backupId","message"]}',
  ConnectionTestAnswer:
    '{"type":"object","properties":{"success":{"type":"boolean"},"serverVersion":{"type":"string"},"latencyMs":{"type":"number"},"clientTool":{"type":"string"},"compatible":{"type":"boolean"},"code":{"type":"string"},"message":{"type":"string"},"agentId":{"type":"string"}},"required":["success","agentId"]}',
  CreatedApiToken:
    '{"type":"object","properties":{"token":{"type":"string"},"id":{"type":"string"},"name":{"type":"string"},"prefix":{"type":"string"},"scopes":{"type":"array","items":{"type":"string","enum":["read","backups:run","restores:run","setup:write","admin"]}},"userId":{"type":"string"},"createdAt":{"type":"string"},"expiresAt":{"type":"string"},"lastUsedAt":{"type":"string","nullable":true},"lastUsedIp":{"type":"string","nullable":true},"revokedAt":{"type":"string","nullable":true}},"required":["token","id","name","prefix","scopes","userId","createdAt","expiresAt","lastUsedAt","lastUsedIp","revokedAt"]}',
  DatabaseView:
    '{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"type":{"type":"string","enum":["postgresql","mysql","mongodb","mssql"]},"host":{"type":"string"},"port":{"type":"number"},"username":{"type":"string"},"database":{"type":"string"},"tlsMode":{"type":"string","enum":["disable","prefer","require","verify-ca","verify-full"]},"hasPassword":{"type":"boolean"},"agentId":{"type":"string"},"serverVersion":{"type":"string","nullable":true},"createdAt":{"type":"string"}},"required":["id","name","type","host","port","username","database","tlsMode","hasPassword","agentId","serverVersion","createdAt"]}',
  DatabaseViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/DatabaseView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  DeleteAnswer:
    '{"type":"object","properties":{"success":{"type":"boolean","enum":[true]},"status":{"type":"string","enum":["deleting"]},"message":{"type":"string"}},"required":["success","status","message"]}',
  DownloadAnswer:
    '{"type":"object","properties":{"url":{"type":"string"},"fileName":{"type":"string"},"sizeBytes":{"type":"number"},"expiresAt":{"type":"string"}},"required":["url","fileName","sizeBytes","expiresAt"]}',
  EnrolAnswer:
    '{"type":"object","properties":{"agentId":{"type":"string"},"workspaceId":{"type":"string"},"serverId":{"type":"string"},"commandPublicKey":{"type":"string"},"commandKeyId":{"type":"string"},"recoveryRecipient":{"type":"string","nullable":true},"fingerprint":{"type":"string"}},"required":["agentId","workspaceId","serverId","commandPublicKey","commandKeyId","recoveryRecipient","fingerprint"]}',
  EnrolCodeView:
    '{"type":"object","properties":{"code":{"type":"string"},"expiresAt":{"type":"string"},"command":{"type":"string"}},"required":["code","expiresAt","command"]}',
  ExportAnswer:
    '{"type":"object","properties":{"success":{"type":"boolean","enum":[true]},"status":{"type":"string","enum":["sent_to_agent"]},"message":{"type":"string"},"commandId":{"type":"string"}},"required":["success","status","message","commandId"]}',
  ExportView:
    '{"type":"object","properties":{"commandId":{"type":"string"},"backupId":{"type":"string"},"agentId":{"type":"string"},"fileName":{"type":"string"},"state":{"type":"string","enum":["queued","sent","accepted","running","succeeded","failed","refused","expired","cancelled"]},"path":{"type":"string","nullable":true},"sizeBytes":{"type":"number","nullable":true},"sha256":{"type":"string","nullable":true},"errorCode":{"type":"string","nullable":true},"errorMessage":{"type":"string","nullable":true},"requestedAt":{"type":"string"},"endedAt":{"type":"string","nullable":true}},"required":["commandId","backupId","agentId","fileName","state","path","sizeBytes","sha256","errorCode","errorMessage","requestedAt","endedAt"]}',
  ImportAnswer:
    '{"type":"object","properties":{"manifestsFound":{"type":"number"},"imported":{"type":"number"},"alreadyKnown":{"type":"number"},"databases":{"type":"array","items":{"type":"object","properties":{"databaseId":{"type":"string"},"name":{"type":"string"},"backups":{"type":"number"},"newest":{"type":"string"}},"required":["databaseId","name","backups","newest"]}},"refused":{"type":"array","items":{"type":"object","properties":{"key":{"type":"string"},"code":{"type":"string"},"message":{"type":"string"}},"required":["key","code","message"]}}},"required":["manifestsFound","imported","alreadyKnown","databases","refused"]}',
  JobView:
    '{"type":"object","properties":{"id":{"type":"string"},"databaseId":{"type":"string"},"name":{"type":"string"},"scheduleType":{"type":"string","enum":["manual","hourly","daily","weekly","monthly","custom","advanced"]},"backupType":{"type":"string","enum":["full","incremental","differential"]},"compression":{"type":"string","enum":["none","gzip","zstd"]},"isEncrypted":{"type":"boolean"},"storageType":{"type":"string","enum":["local","s3","google_drive"]},"cloudStorageId":{"type":"string"},"storagePath":{"type":"string","nullable":true},"autoVerifyAfterBackup":{"type":"boolean"},"verificationLevel":{"type":"string","enum":["BASIC","DATABASE","FULL"],"nullable":true},"retentionDays":{"type":"number","nullable":true},"timeLimitMinutes":{"type":"number"},"maxChainLength":{"type":"number"},"isActive":{"type":"boolean"},"createdAt":{"type":"string"}},"required":["id","databaseId","name","scheduleType","backupType","compression","isEncrypted","storageType","cloudStorageId","storagePath","autoVerifyAfterBackup","verificationLevel","retentionDays","timeLimitMinutes","maxChainLength","isActive","createdAt"]}',
  JobViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/JobView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  LoginChallenge:
    '{"type":"object","properties":{"challenge":{"type":"string"},"challengeExpiresAt":{"type":"string"}},"required":["challenge","challengeExpiresAt"]}',
  PasswordAnswer:
    '{"type":"object","properties":{"sessionsEnded":{"type":"number"},"deviceToken":{"type":"string"}},"required":["sessionsEnded"]}',
  PersonView:
    '{"type":"object","properties":{"id":{"type":"string"},"email":{"type":"string"},"name":{"type":"string"},"workspaceId":{"type":"string"},"role":{"type":"string","enum":["admin","owner","operator","viewer"]}},"required":["id","email","name","workspaceId","role"]}',
  PreflightAnswer:
    '{"type":"object","properties":{"ready":{"type":"boolean"},"targetDatabase":{"type":"string"},"findings":{"type":"array","items":{"$ref":"#/components/schemas/PreflightFinding"}}},"required":["ready","targetDatabase","findings"]}',
  PreflightFinding:
    '{"type":"object","properties":{"subject":{"type":"string","enum":["backup","connection","version","tools","encoding","roles","extensions","privileges","space","sessions","target","key","selection"]},"severity":{"type":"string","enum":["ok","warning","blocker"]},"message":{"type":"string"},"details":{"$ref":"#/components/schemas/Readonly"}},"required":["subject","severity","message"]}',
  Readiness:
    '{"type":"object","properties":{"status":{"type":"string","enum":["ok","unavailable"]},"checks":{"type":"object","properties":{"postgres":{"type":"string","enum":["up","down"]},"redis":{"type":"string","enum":["up","down"]}},"required":["postgres","redis"]},"warnings":{"type":"array","items":{"type":"string"}}},"required":["status","checks","warnings"]}',
  Readonly: '{"type":"object","additionalProperties":true}',
  ReconcileAnswer:
    '{"type":"object","properties":{"storageId":{"type":"string"},"objectsChecked":{"type":"number"},"bytesChecked":{"type":"number"},"backupsChecked":{"type":"number"},"missing":{"type":"number"},"orphaned":{"type":"number"},"altered":{"type":"number"},"differences":{"type":"array","items":{"$ref":"#/components/schemas/CatalogueDifference"}}},"required":["storageId","objectsChecked","bytesChecked","backupsChecked","missing","orphaned","altered","differences"]}',
  RecoveryCodesAnswer:
    '{"type":"object","properties":{"recoveryCodes":{"type":"array","items":{"type":"string"}}},"required":["recoveryCodes"]}',
  RestoreAnswer:
    '{"type":"object","properties":{"success":{"type":"boolean","enum":[true]},"status":{"type":"string","enum":["sent_to_agent"]},"message":{"type":"string"},"restoreHistoryId":{"type":"string"}},"required":["success","status","message","restoreHistoryId"]}',
  RestoreView:
    '{"type":"object","properties":{"id":{"type":"string"},"backupId":{"type":"string"},"databaseId":{"type":"string"},"targetDatabaseId":{"type":"string"},"targetDatabase":{"type":"string"},"mode":{"type":"string","enum":["beside","swap"]},"selection":{"type":"array","items":{"type":"object","properties":{"schema":{"type":"string"},"table":{"type":"string","nullable":true}},"required":["schema","table"]}},"status":{"type":"string","enum":["success","running","failed","cancelled"]},"connection":{"type":"string","enum":["connected","lost"],"nullable":true},"startedAt":{"type":"string"},"completedAt":{"type":"string","nullable":true},"durationMs":{"type":"number","nullable":true},"progress":{"allOf":[{"$ref":"#/components/schemas/BackupProgressView"}],"nullable":true},"tablesTotal":{"type":"number","nullable":true},"tablesEqual":{"type":"number","nullable":true},"tables":{"type":"array","items":{"$ref":"#/components/schemas/TableComparison"}},"liveDatabase":{"type":"string","nullable":true},"swapState":{"type":"string","enum":["swapping","swapped","swap_failed","undoing","undone","undo_failed","discarding","discarded"],"nullable":true},"retiredDatabase":{"type":"string","nullable":true},"undoUntil":{"type":"string","nullable":true},"steps":{"type":"array","items":{"$ref":"#/components/schemas/AttemptStep"}},"logTail":{"type":"string","nullable":true},"errorCode":{"type":"string","nullable":true},"errorMessage":{"type":"string","nullable":true}},"required":["id","backupId","databaseId","targetDatabaseId","targetDatabase","mode","selection","status","connection","startedAt","completedAt","durationMs","progress","tablesTotal","tablesEqual","tables","liveDatabase","swapState","retiredDatabase","undoUntil","steps","logTail","errorCode","errorMessage"]}',
  RestoreViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/RestoreView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  SessionAnswer:
    '{"type":"object","properties":{"user":{"$ref":"#/components/schemas/PersonView"},"tokens":{"$ref":"#/components/schemas/TokenAnswer"},"deviceToken":{"type":"string"}},"required":["user","tokens"]}',
  SessionView:
    '{"type":"object","properties":{"id":{"type":"string"},"ip":{"type":"string","nullable":true},"userAgent":{"type":"string","nullable":true},"startedAt":{"type":"string"},"lastUsedAt":{"type":"string"},"expiresAt":{"type":"string"},"current":{"type":"boolean"}},"required":["id","ip","userAgent","startedAt","lastUsedAt","expiresAt","current"]}',
  SessionsEndedAnswer: '{"type":"object","properties":{"ended":{"type":"number"}},"required":["ended"]}',
  StepUpAnswer:
    '{"type":"object","properties":{"accessToken":{"type":"string"},"accessTokenExpiresAt":{"type":"string"}},"required":["accessToken","accessTokenExpiresAt"]}',
  StorageTestAnswer:
    '{"type":"object","properties":{"success":{"type":"boolean"},"latencyMs":{"type":"number"},"checks":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"ok":{"type":"boolean"},"message":{"type":"string"}},"required":["name","ok"]}},"code":{"type":"string"},"message":{"type":"string"}},"required":["success","latencyMs","checks"]}',
  StorageView:
    '{"type":"object","properties":{"id":{"type":"string"},"storageType":{"type":"string","enum":["local","s3","google_drive"]},"name":{"type":"string"},"isDefault":{"type":"boolean"},"place":{"type":"string","enum":["agent","server"],"nullable":true},"agentId":{"type":"string","nullable":true},"path":{"type":"string","nullable":true},"s3Endpoint":{"type":"string","nullable":true},"s3Region":{"type":"string","nullable":true},"s3Bucket":{"type":"string","nullable":true},"s3Prefix":{"type":"string","nullable":true},"s3ForcePathStyle":{"type":"boolean"},"hasCredentials":{"type":"boolean"},"createdAt":{"type":"string"}},"required":["id","storageType","name","isDefault","place","agentId","path","s3Endpoint","s3Region","s3Bucket","s3Prefix","s3ForcePathStyle","hasCredentials","createdAt"]}',
  StorageViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/StorageView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  TableComparison:
    '{"type":"object","properties":{"schema":{"type":"string"},"table":{"type":"string"},"rows":{"type":"number"},"restoredRows":{"type":"number"},"equal":{"type":"boolean"}},"required":["schema","table","rows","restoredRows","equal"]}',
  TokenAnswer:
    '{"type":"object","properties":{"accessToken":{"type":"string"},"accessTokenExpiresAt":{"type":"string"},"refreshToken":{"type":"string"},"refreshTokenExpiresAt":{"type":"string"}},"required":["accessToken","accessTokenExpiresAt","refreshTokenExpiresAt"]}',
  ToolVersion:
    '{"type":"object","properties":{"name":{"type":"string"},"version":{"type":"string"},"path":{"type":"string"}},"required":["name","version","path"]}',
  TotpEnrolment:
    '{"type":"object","properties":{"secret":{"type":"string"},"otpauthUrl":{"type":"string"}},"required":["secret","otpauthUrl"]}',
  TotpView:
    '{"type":"object","properties":{"enrolledAt":{"type":"string","nullable":true},"recoveryCodesLeft":{"type":"number"},"required":{"type":"boolean"}},"required":["enrolledAt","recoveryCodesLeft","required"]}',
  TrustAnswer:
    '{"type":"object","properties":{"serverPublicKey":{"type":"string"},"serverKeyId":{"type":"string"},"agents":{"type":"array","items":{"type":"object","properties":{"agentId":{"type":"string"},"deviceName":{"type":"string"},"signPublicKey":{"type":"string"},"fingerprint":{"type":"string"}},"required":["agentId","deviceName","signPublicKey","fingerprint"]}}},"required":["serverPublicKey","serverKeyId","agents"]}',
  VerificationCheck:
    '{"type":"object","properties":{"name":{"type":"string","enum":["server","manifest","keys","objects","checksums","segments","frames","chain","contents","schema","metadata","requirements","restore","row counts","digests","sequences","cleanup"]},"result":{"type":"string","enum":["failed","skipped","passed"]},"message":{"type":"string"},"evidence":{"$ref":"#/components/schemas/Readonly"},"durationMs":{"type":"number"}},"required":["name","result","message","evidence","durationMs"]}',
  VerificationView:
    '{"type":"object","properties":{"id":{"type":"string"},"backupId":{"type":"string"},"databaseId":{"type":"string"},"verificationLevel":{"type":"string","enum":["BASIC","DATABASE","FULL"]},"status":{"type":"string","enum":["PENDING","PASSED","FAILED","SKIPPED"]},"trigger":{"type":"string","enum":["manual","after_backup","schedule"]},"connection":{"type":"string","enum":["connected","lost"],"nullable":true},"reason":{"type":"string","nullable":true},"checks":{"type":"array","items":{"$ref":"#/components/schemas/VerificationCheck"}},"tables":{"type":"array","items":{"$ref":"#/components/schemas/TableComparison"}},"tablesTotal":{"type":"number","nullable":true},"tablesEqual":{"type":"number","nullable":true},"restoreMs":{"type":"number","nullable":true},"progress":{"allOf":[{"$ref":"#/components/schemas/BackupProgressView"}],"nullable":true},"startedAt":{"type":"string"},"completedAt":{"type":"string","nullable":true},"durationMs":{"type":"number","nullable":true},"steps":{"type":"array","items":{"$ref":"#/components/schemas/AttemptStep"}},"logTail":{"type":"string","nullable":true},"errorCode":{"type":"string","nullable":true},"errorMessage":{"type":"string","nullable":true}},"required":["id","backupId","databaseId","verificationLevel","status","trigger","connection","reason","checks","tables","tablesTotal","tablesEqual","restoreMs","progress","startedAt","completedAt","durationMs","steps","logTail","errorCode","errorMessage"]}',
  VerificationViewPage:
    '{"type":"object","properties":{"results":{"type":"array","items":{"$ref":"#/components/schemas/VerificationView"}},"page":{"type":"number"},"limit":{"type":"number"},"totalPages":{"type":"number"},"totalResults":{"type":"number"},"estimated":{"type":"boolean"}},"required":["results","page","limit","totalPages","totalResults"]}',
  VerifyAnswer:
    '{"type":"object","properties":{"success":{"type":"boolean","enum":[true]},"status":{"type":"string","enum":["sent_to_agent"]},"message":{"type":"string"},"verificationId":{"type":"string"}},"required":["success","status","message","verificationId"]}',
  WorkspaceView:
    '{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"recoveryRecipient":{"type":"string","nullable":true},"requireTotp":{"type":"boolean"},"createdAt":{"type":"string"}},"required":["id","name","recoveryRecipient","requireTotp","createdAt"]}',
};
