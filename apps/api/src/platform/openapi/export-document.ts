import type { Type } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createDocument } from './docs.js';

/** The document's text for a module graph, without starting anything: providers are not made in preview mode. Keys and lines are stable. */
export async function exportDocument(module: Type | DynamicModule): Promise<string> {
  const app = await NestFactory.create(module, { preview: true, logger: false, abortOnError: false });
  return `${JSON.stringify(createDocument(app), undefined, 2)}\n`;
}
