import { Global, Module } from '@nestjs/common';
import { AgentChannel } from './agent-channel.js';
import { AgentMessageRouter } from './agent-message-router.js';
import { LiveEvents } from './live-events.js';
import { SocketHub } from './socket-hub.js';

@Global()
@Module({
  providers: [SocketHub, AgentMessageRouter, AgentChannel, LiveEvents],
  exports: [SocketHub, AgentMessageRouter, AgentChannel, LiveEvents],
})
export class RealtimeModule {}
