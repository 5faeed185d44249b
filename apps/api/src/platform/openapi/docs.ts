import type { INestApplication } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describeAnswers } from './describe-answers.js';
import { describeDtos } from './describe-dtos.js';

/** The whole API as OpenAPI 3. Works on an application in preview mode, without PostgreSQL and Redis. */
export function createDocument(app: INestApplication): OpenAPIObject {
  describeDtos();
  const description = new DocumentBuilder()
    .setTitle('RahatBack')
    .setDescription('Errors are `{code, message, details?, correlationId}`; the message says what to do next.')
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .addSecurityRequirements('bearer')
    .build();
  const document = SwaggerModule.createDocument(app, description, {
    operationIdFactory: (controller, method) => `${controller}.${method}`,
  });
  describeAnswers(document);
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path as Record<string, unknown>)) nameOperation(operation);
  }
  return document;
}

/** `BackupsController.run` becomes `backupsRun`: what generated clients call it. */
function nameOperation(operation: unknown): void {
  const named = operation as { operationId?: string } | null;
  const [controller = '', method = ''] = named?.operationId?.split('.') ?? [];
  if (!named || method === '') return;
  const noun = controller.replace(/Controller$/, '');
  named.operationId = `${noun.charAt(0).toLowerCase()}${noun.slice(1)}${method.charAt(0).toUpperCase()}${method.slice(1)}`;
}

/** `/docs` and `/docs-json`. */
export function setUpDocs(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => createDocument(app), { jsonDocumentUrl: 'docs-json', yamlDocumentUrl: 'docs-yaml' });
}
