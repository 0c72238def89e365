import type { ErrorCode } from './types.js';

/** An error with a stable code for programs and a message for people. */
export class SklensError extends Error {
  override readonly name = 'SklensError';
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** The code that `error` carries, or `fallback`. */
export function codeOf(error: unknown, fallback: ErrorCode): ErrorCode {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? (code as ErrorCode) : fallback;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
