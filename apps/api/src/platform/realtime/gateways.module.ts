import { Module } from '@nestjs/common';
import { AgentGateway } from './agent.gateway.js';
import { PeopleGateway } from './people.gateway.js';

/** Only where sockets are accepted: the API. */
@Module({ providers: [AgentGateway, PeopleGateway] })
export class GatewaysModule {}
