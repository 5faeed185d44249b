import { pipeline } from 'node:stream/promises';
import { Controller, Get, Param, Put, Req, Res } from '@nestjs/common';
import { STORAGE_PART_SIZE_BYTES } from '@rahatback/storage';
import type { Request, Response } from 'express';
import { Public } from '../../platform/http/decorators.js';
import { PartsService } from './parts.service.js';

/** A part is at most 8 MiB: whoever needs longer for it is not sending. */
const BODY_LIMIT_MS = 10 * 60_000;

/** Storage on the server's own disk. The signed ticket is the credential, so there is no log-in. */
@Public()
@Controller('v1/parts')
export class PartsController {
  constructor(private readonly parts: PartsService) {}

  @Put(':ticket')
  async put(@Param('ticket') ticket: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const limit = setTimeout(() => request.destroy(), BODY_LIMIT_MS);
    try {
      const { etag } = await this.parts.put(ticket, lengthOf(request), request);
      response.status(200).setHeader('ETag', `"${etag}"`).end();
    } catch (error) {
      // The rest of a part is let run out, or the sender would see a broken connection instead of the reason. What is no part is cut.
      if ((lengthOf(request) ?? Infinity) <= STORAGE_PART_SIZE_BYTES) request.resume();
      else response.setHeader('Connection', 'close').once('finish', () => request.destroy());
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }

  @Get(':ticket')
  async get(@Param('ticket') ticket: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const { sizeBytes, range, body } = await this.parts.get(ticket, request.headers.range);
    response.setHeader('Content-Type', 'application/octet-stream').setHeader('Accept-Ranges', 'bytes');
    if (range) {
      response.status(206).setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${sizeBytes}`);
    }
    response.setHeader('Content-Length', String(range ? range.end - range.start : sizeBytes));
    // A reader that has enough closes the connection: that is no failure of ours.
    await pipeline(body, response).catch(() => response.destroy());
  }
}

function lengthOf(request: Request): number | undefined {
  const length = request.headers['content-length'];
  return length === undefined ? undefined : Number(length);
}
