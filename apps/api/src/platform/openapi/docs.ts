import type { INestApplication } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
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
  return SwaggerModule.createDocument(app, description, {
    operationIdFactory: (controller, method) =>
      `${controller.replace(/Controller$/, '').replace(/^./, (first) => first.toLowerCase())}_${method}`,
  });
}

/** `/docs` and `/docs-json`. */
export function setUpDocs(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => createDocument(app), { jsonDocumentUrl: 'docs-json', yamlDocumentUrl: 'docs-yaml' });
}
