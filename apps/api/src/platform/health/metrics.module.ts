import { Global, Module } from '@nestjs/common';
import { Metrics } from './metrics.service.js';
import { Warnings } from './warnings.service.js';

@Global()
@Module({ providers: [Metrics, Warnings], exports: [Metrics, Warnings] })
export class MetricsModule {}
