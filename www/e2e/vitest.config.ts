import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    include: ['*.test.ts'],
    // Node has it without this from version 22 on.
    execArgv: ['--experimental-websocket'],
    // Software rendering of WebGPU is slow, and two browsers at once would only slow each other down.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } },
    fileParallelism: false,
    sequence: { concurrent: false },
  },
});
