import { ERROR_RULES } from '@rahatback/contracts';
import type { OpenAPIObject } from '@nestjs/swagger';
import { ANSWERS, SCHEMAS } from './answer-schemas.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

const ERROR_BODY = {
  type: 'object',
  properties: {
    code: { type: 'string', enum: Object.keys(ERROR_RULES) },
    message: { type: 'string', description: 'Says what to do next.' },
    details: { type: 'object', additionalProperties: true },
    correlationId: { type: 'string' },
  },
  required: ['code', 'message'],
};

const json = (schema: object) => ({ 'application/json': { schema } });

/** Adds to every operation what it answers, and the one shape of a refusal. `operationId` is `Class.method` here. */
export function describeAnswers(document: OpenAPIObject): void {
  const schemas = Object.fromEntries(Object.entries(SCHEMAS).map(([name, text]) => [name, JSON.parse(text) as object]));
  document.components ??= {};
  document.components.schemas = { ...document.components.schemas, ...schemas, ErrorBody: ERROR_BODY };
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) if (path[method]) describeOperation(path[method]);
  }
}

function describeOperation(operation: Operation): void {
  const answer = ANSWERS[operation.operationId ?? ''];
  for (const response of Object.values(operation.responses)) {
    if (response && answer !== undefined && !('$ref' in response)) {
      response.content = json(JSON.parse(answer) as object);
    }
  }
  operation.responses['default'] = {
    description: 'Refused or failed.',
    content: json({ $ref: '#/components/schemas/ErrorBody' }),
  };
}
