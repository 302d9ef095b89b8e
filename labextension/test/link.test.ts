import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Link } from '../src/link';
import { type Hello, PROTOCOL, type Reply } from '../src/messages';
import { FakeKernel } from './kernel';

const HELLO: Hello = { type: 'hello', protocol: PROTOCOL, extension: '1', frontend: {} };
const GREETING = { type: 'hello', protocol: PROTOCOL, package: '1', environment: {} };
const RUNS = { type: 'runs', runs: [] };
const never = new Promise<never>(() => undefined);

let kernel: FakeKernel;
let link: Link;

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new FakeKernel();
  link = new Link(kernel.connection, HELLO);
});

async function connect(): Promise<void> {
  const opening = link.open();
  await vi.advanceTimersByTimeAsync(0);
  await opening;
  kernel.comm.says(GREETING);
}

describe('opening', () => {
  it('waits for the subshell, greets, and watches when it is greeted', async () => {
    let start: () => void = () => undefined;
    kernel.subshell = new Promise(resolve => (start = resolve));
    link.watch(['runs']);
    void link.open();
    await vi.advanceTimersByTimeAsync(100);
    expect(kernel.comm.opened).toBeNull();
    start();
    await vi.advanceTimersByTimeAsync(0);
    expect(kernel.comm.opened).toEqual(HELLO);
    expect(kernel.comm.sent).toEqual([]);
    kernel.comm.says(GREETING);
    expect(link.standing.is).toBe('open');
    expect(kernel.comm.sent).toEqual([{ type: 'watch', parts: ['runs'] }]);
  });

  it('needs no subshell where the kernel has none, as that of ipykernel 6', async () => {
    kernel.supportsSubshells = false;
    kernel.subshell = never;
    await connect();
    expect(link.standing.is).toBe('open');
  });

  it('opens without a subshell that never starts', async () => {
    kernel.subshell = never;
    void link.open();
    await vi.advanceTimersByTimeAsync(6000);
    expect(kernel.comm.opened).toEqual(HELLO);
  });

  it('says after a second that the kernel is busy, and opens when it is free', async () => {
    let free: (info: object) => void = () => undefined;
    kernel.info = new Promise(resolve => (free = resolve));
    void link.open();
    await vi.advanceTimersByTimeAsync(900);
    expect(link.slow).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(link.slow).toBe(true);
    expect(kernel.comms).toEqual([]);
    free({});
    await vi.advanceTimersByTimeAsync(0);
    kernel.comm.says(GREETING);
    expect(link.slow).toBe(false);
  });

  it('is done once, however often it is asked for', async () => {
    void link.open();
    await connect();
    await link.open();
    expect(kernel.comms.length).toBe(1);
  });

  it('tells a kernel that has not loaded the package', async () => {
    void link.open();
    await vi.advanceTimersByTimeAsync(0);
    kernel.comm.onClose();
    expect(link.standing.is).toBe('missing');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kernel.comms.length).toBe(1);
  });

  it('asks no kernel of another language, and none that another connection talks to', async () => {
    kernel.language = 'R';
    await link.open();
    expect(link.standing.is).toBe('foreign');
    const other = new FakeKernel();
    other.handleComms = false;
    const second = new Link(other.connection, HELLO);
    await second.open();
    expect(second.standing.is).toBe('second');
    expect([...kernel.comms, ...other.comms]).toEqual([]);
  });

  it('does not try again by itself when it failed', async () => {
    kernel.info = Promise.reject(new Error('gone'));
    await link.open();
    expect(link.standing.is).toBe('unreached');
    kernel.info = Promise.resolve({});
    await connect();
    expect(link.standing.is).toBe('open');
  });

  it('says nothing more to a kernel of another protocol', async () => {
    link.watch(['runs']);
    void link.open();
    await vi.advanceTimersByTimeAsync(0);
    kernel.comm.says({ ...GREETING, protocol: PROTOCOL + 1, package: '9', more: [] });
    expect(link.standing).toEqual({
      is: 'another protocol',
      protocol: PROTOCOL + 1,
      version: '9'
    });
    expect((await link.ask({ type: 'refresh', part: 'models' })).error).not.toBeNull();
    expect(kernel.comm.sent).toEqual([]);
  });
});

describe('asking', () => {
  it('gives each question its own answer', async () => {
    await connect();
    const first = link.ask({ type: 'refresh', part: 'models' });
    const second = link.ask({ type: 'use', kind: 'chat', model: 'a' });
    const ids = kernel.comm.sent.map(sent => sent.id);
    kernel.comm.says({ type: 'reply', to: ids[1], said: 'used', line: '', error: null });
    kernel.comm.says({ type: 'reply', to: ids[0], said: 'looked', line: '', error: null });
    expect((await first).said).toBe('looked');
    expect((await second).said).toBe('used');
  });

  it('says that the kernel is busy while one is unanswered for a second', async () => {
    await connect();
    void link.ask({ type: 'refresh', part: 'models' });
    await vi.advanceTimersByTimeAsync(1100);
    expect(link.slow).toBe(true);
    kernel.comm.says({
      type: 'reply',
      to: kernel.comm.sent[0]?.id,
      said: '',
      line: '',
      error: null
    });
    expect(link.slow).toBe(false);
  });

  it('ends what is unanswered when the comm goes', async () => {
    await connect();
    const asked = link.ask({ type: 'refresh', part: 'models' });
    kernel.statusChanged.emit('restarting');
    expect((await asked).error?.what).toMatch('did not answer');
    expect(link.slow).toBe(false);
  });

  it('says so where the comm is gone already', async () => {
    await connect();
    kernel.comm.dispose();
    expect((await link.ask({ type: 'refresh', part: 'models' })).error).not.toBeNull();
    await vi.advanceTimersByTimeAsync(1100);
    expect(link.slow).toBe(false);
  });

  it('tells what nobody asked for', async () => {
    await connect();
    const told: Reply[] = [];
    link.trouble.connect((_, reply) => told.push(reply));
    const error = { what: 'No.', why: '', do: '' };
    kernel.comm.says({ type: 'reply', to: null, said: '', line: '', error });
    expect(told.map(reply => reply.error)).toEqual([error]);
  });
});

describe('messages', () => {
  it('keeps the last of each part', async () => {
    await connect();
    const changes: string[] = [];
    link.changed.connect((_, change) => changes.push(change));
    kernel.comm.says(RUNS);
    expect(link.known.runs).toEqual(RUNS);
    expect(changes).toEqual(['runs']);
  });

  it.each([null, 7, 'runs', {}, { type: 'toString' }, { type: 'runs' }, { ...RUNS, more: 1 }])(
    'leaves out and tells one that cannot be read: %j',
    async wrong => {
      await connect();
      kernel.comm.says(RUNS);
      const told: Reply[] = [];
      link.trouble.connect((_, reply) => told.push(reply));
      kernel.comm.says(wrong);
      expect(told.map(reply => reply.error?.do)).toEqual(['%alcf doctor']);
      expect(link.standing.is).toBe('open');
      expect(link.known.runs).toEqual(RUNS);
    }
  );
});

describe('recovery', () => {
  it('opens again after a restart', async () => {
    await connect();
    kernel.comm.says(RUNS);
    kernel.statusChanged.emit('autorestarting');
    expect(link.standing.is).toBe('restarting');
    expect(link.known).toEqual({});
    kernel.statusChanged.emit('idle');
    await vi.advanceTimersByTimeAsync(0);
    kernel.comm.says(GREETING);
    expect(kernel.comms.length).toBe(2);
    expect(link.standing.is).toBe('open');
  });

  it('asks no restarted kernel that was never asked', async () => {
    kernel.statusChanged.emit('restarting');
    kernel.statusChanged.emit('idle');
    await vi.advanceTimersByTimeAsync(0);
    expect([link.standing.is, kernel.comms.length]).toEqual(['unasked', 0]);
  });

  it('a restart while it opens leaves one comm, and nothing waits for the old kernel', async () => {
    kernel.info = never;
    void link.open();
    await vi.advanceTimersByTimeAsync(1100);
    kernel.info = Promise.resolve({});
    kernel.statusChanged.emit('restarting');
    expect(link.slow).toBe(false);
    kernel.statusChanged.emit('idle');
    await vi.advanceTimersByTimeAsync(0);
    expect(kernel.comms.length).toBe(1);
  });

  it('opens again when a kernel that had answered closes the comm, but not for ever', async () => {
    await connect();
    await vi.advanceTimersByTimeAsync(5000);
    kernel.comm.onClose();
    await vi.advanceTimersByTimeAsync(0);
    expect(kernel.comms.length).toBe(2);
    kernel.comm.says(GREETING);
    kernel.comm.onClose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kernel.comms.length).toBe(2);
    expect(link.standing.is).toBe('missing');
  });

  it('asks for everything again when the connection has come back', async () => {
    link.watch(['status', 'runs']);
    await connect();
    kernel.connectionStatusChanged.emit('connected');
    expect(kernel.comm.sent.map(sent => sent.parts)).toEqual([
      ['status', 'runs'],
      [],
      ['status', 'runs']
    ]);
  });

  it('says that the kernel has stopped', async () => {
    await connect();
    kernel.statusChanged.emit('dead');
    expect(link.standing.is).toBe('dead');
  });
});

describe('leaving', () => {
  it('closes the comm and, with the page, its subshell', async () => {
    await connect();
    kernel.comm.subshellId = 'sub';
    link.close(true);
    expect(kernel.comm.isDisposed).toBe(true);
    expect(kernel.deleted).toEqual(['sub']);
    expect(link.standing.is).toBe('unasked');
  });

  it('keeps the subshell for the next comm of this page', async () => {
    await connect();
    kernel.comm.subshellId = 'sub';
    link.dispose();
    expect(kernel.comm.isDisposed).toBe(true);
    expect(kernel.deleted).toEqual([]);
  });
});
