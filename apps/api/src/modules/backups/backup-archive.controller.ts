import { pipeline } from 'node:stream/promises';
import { Controller, Get, Logger, Param, Query, Req, Res } from '@nestjs/common';
import type { DownloadAnswer } from '@rahatback/contracts';
import { AppError, DownloadQueryDto } from '@rahatback/contracts';
import type { Request, Response } from 'express';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Public, Roles, TokenScope } from '../../platform/http/decorators.js';
import { byteRangeOf } from '../storages/index.js';
import { BackupArchives, type OpenArchive } from './backup-archive.service.js';

type Range = { readonly start: number; readonly end: number };

@Controller('v1')
export class BackupArchiveController {
  private readonly log = new Logger(BackupArchiveController.name);

  constructor(private readonly archives: BackupArchives) {}

  @Roles('owner', 'admin', 'operator')
  @TokenScope('restores:run')
  @Get('backups/history/:id/download')
  request(@CurrentActor() actor: Actor, @IdParam() id: string, @Query() query: DownloadQueryDto): Promise<DownloadAnswer> {
    return this.archives.request(actor, id, query.chain === 'true' || query.chain === '1');
  }

  /** The signed ticket is the credential, so there is no log-in: a download manager can fetch it, in pieces. */
  @Public()
  @Get('downloads/:ticket')
  async download(@Param('ticket') ticket: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const archive = await this.archives.open(ticket);
    response.attachment(archive.fileName).setHeader('Content-Type', 'application/x-tar');
    response.setHeader('Accept-Ranges', 'bytes').setHeader('ETag', archive.etag);
    const range = rangeOf(request, response, archive);
    if (range === null) return;
    const { start, end } = range ?? { start: 0, end: archive.sizeBytes };
    if (range) response.status(206).setHeader('Content-Range', `bytes ${start}-${end - 1}/${archive.sizeBytes}`);
    response.setHeader('Content-Length', String(end - start));
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    await pipeline(archive.read({ start, end }), response).catch((error: unknown) => {
      // A reader that goes away is no failure of ours. A storage that fails is, and the reader sees a broken transfer, never a short file.
      if (!isGone(error)) this.log.warn({ err: error }, 'A download was cut because its backup could not be read to the end.');
      response.destroy();
    });
  }
}

const GONE: readonly unknown[] = ['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE'];

const isGone = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && GONE.includes(error.code);

/** Undefined: everything. Null: the range lies outside, and that has been answered. */
function rangeOf(request: Request, response: Response, { etag, sizeBytes }: OpenArchive): Range | undefined | null {
  const condition = request.headers['if-range'];
  // A date never matches: only the tag says that the bytes are the same.
  if (condition !== undefined && condition !== etag) return undefined;
  try {
    return byteRangeOf(request.headers.range, sizeBytes);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'VALIDATION') throw error;
    response.removeHeader('Content-Disposition');
    response.status(416).setHeader('Content-Range', `bytes */${sizeBytes}`).json(error.toBody());
    return null;
  }
}
