import { defineConfig } from 'vitest/config';

export default defineConfig({
  // a machine may stall for longer than the usual five seconds
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'threads',
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
});
