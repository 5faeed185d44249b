import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { AgentView, BackupViewPage, CreateJobDto as GeneratedCreateJob } from './index.js';
import { agentsList, createClient } from './index.js';
import type { AgentView as ContractAgentView, BackupView, CreateJobDto, Page } from '@rahatback/contracts';

const project = dirname(createRequire(join(process.cwd(), 'package.json')).resolve('@rahatback/api-client/package.json'));

describe('the generated client', () => {
  it('is what openapi.json generates today', () => {
    expect(() =>
      execFileSync(process.execPath, [join(project, '../../tools/openapi/generate-client.ts'), '--check'], { stdio: 'pipe' }),
    ).not.toThrow();
  }, 60_000);

  it('has the types of the contracts', () => {
    const agent = (view: AgentView): Omit<ContractAgentView, 'tools'> => view;
    const page = (backups: BackupViewPage): Page<Omit<BackupView, 'progress'>> => backups;
    const job = (dto: GeneratedCreateJob): Pick<CreateJobDto, 'databaseId' | 'name'> => dto;
    expect([agent, page, job]).toHaveLength(3); // the compiler is the test
  });

  it('calls the address of an operation with the token', async () => {
    const seen: Request[] = [];
    const client = createClient({
      baseUrl: 'http://rahatback.example',
      auth: () => 'token-1',
      fetch: (request: Request) => {
        seen.push(request);
        return Promise.resolve(Response.json({ results: [], page: 2, limit: 20, totalPages: 0, totalResults: 0 }));
      },
    } as Parameters<typeof createClient>[0]);
    const { data } = await agentsList({ client, query: { page: 2 } });
    expect(data).toMatchObject({ page: 2 });
    expect([seen[0]?.url, seen[0]?.headers.get('authorization')]).toEqual([
      'http://rahatback.example/v1/agents?page=2',
      'Bearer token-1',
    ]);
  });
});
