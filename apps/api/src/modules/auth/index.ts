export { AuthModule } from './auth.module.js';
export { WorkspaceService } from './workspace.service.js';
