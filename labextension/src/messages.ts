/** What goes over the comm, and the reading of what comes from the kernel. */
import * as checks from './generated/checks';
import type { FromKernel } from './generated/messages';

export type * from './generated/messages';
export { PROTOCOL, VERSION } from './generated/versions';

export const TARGET = 'alcf_jupyter.panel';

const CHECKS = {
  hello: checks.KernelHello,
  status: checks.Status,
  models: checks.Models,
  runs: checks.Runs,
  batches: checks.Batches,
  reply: checks.Reply
};

/** A message of the kernel that is not as the protocol says. */
export class UnreadableError extends Error {}

/**
 * Return a message of the kernel that is as the protocol says.
 *
 * @throws UnreadableError if it is not.
 */
export function read(data: unknown): FromKernel {
  const type = (data as { type?: unknown } | null)?.type;
  if (typeof type !== 'string' || !Object.hasOwn(CHECKS, type)) {
    throw new UnreadableError('it is of no kind that is known here');
  }
  const check = CHECKS[type as keyof typeof CHECKS];
  if (check(data)) {
    return data;
  }
  const wrong = check.errors?.[0];
  throw new UnreadableError(`${type}${wrong?.instancePath ?? ''} ${wrong?.message ?? ''}`.trim());
}

/** The number of the protocol that a hello names, even a hello of another protocol. */
export function protocolOf(data: unknown): { protocol: number; version: string } | null {
  const hello = data as { type?: unknown; protocol?: unknown; package?: unknown } | null;
  if (hello?.type !== 'hello' || typeof hello.protocol !== 'number') {
    return null;
  }
  return {
    protocol: hello.protocol,
    version: typeof hello.package === 'string' ? hello.package : ''
  };
}
