import { AppError } from '@rahatback/contracts';
import type { CookieOptions, Request, Response } from 'express';
import type { IssuedDevice } from './known-devices.service.js';
import type { LoginClient } from './login-doors.service.js';
import type { SessionClient } from './session.service.js';

export const REFRESH_COOKIE = '__Host-rb_refresh';
export const DEVICE_COOKIE = '__Host-rb_device';
const CLIENT_HEADER = 'x-rahatback-client';
const COOKIE: CookieOptions = { httpOnly: true, secure: true, sameSite: 'strict', path: '/' };

/** A page says so by a header, which another origin's page cannot send without being asked by CORS first. */
export const isBrowser = (request: Request): boolean => request.headers[CLIENT_HEADER] === 'browser';

function cookieOf(request: Request, name: string): string | undefined {
  const cookie = (request.cookies as Record<string, unknown>)[name];
  return typeof cookie === 'string' ? cookie : undefined;
}

/**
 * The refresh token of a request. The cookie counts only together with the header, and only from our own pages: that, with SameSite=Strict,
 * is what keeps another site from using it.
 * @throws AppError ORIGIN_FORBIDDEN
 */
export function presentedToken(
  request: Request,
  body: { refreshToken?: string } | undefined,
  allowedOrigins: readonly string[],
): string | undefined {
  if (!isBrowser(request)) return body?.refreshToken;
  const { origin } = request.headers;
  if (origin !== undefined && !allowedOrigins.includes(origin)) {
    throw new AppError('ORIGIN_FORBIDDEN', 'This page may not use the session. Open the console at its own address.');
  }
  return cookieOf(request, REFRESH_COOKIE);
}

export const setRefreshCookie = (response: Response, token: string, expires: Date): void => {
  response.cookie(REFRESH_COOKIE, token, { ...COOKIE, expires });
};

export const clearRefreshCookie = (response: Response): void => {
  response.clearCookie(REFRESH_COOKIE, COOKIE);
};

/** The device's token for the answer's body; a browser keeps it as a cookie, which outlives the session. */
export function deviceAnswer(request: Request, response: Response, device: IssuedDevice): { deviceToken?: string } {
  if (!isBrowser(request)) return { deviceToken: device.token };
  response.cookie(DEVICE_COOKIE, device.token, { ...COOKIE, expires: device.expiresAt });
  return {};
}

export const clientOf = (request: Request): SessionClient => ({
  ip: request.ip ?? '',
  userAgent: request.headers['user-agent'] ?? null,
});

export const loginClientOf = (request: Request, body: { deviceToken?: string }): LoginClient => ({
  ...clientOf(request),
  deviceToken: isBrowser(request) ? cookieOf(request, DEVICE_COOKIE) : body.deviceToken,
});
