/** The comm to one kernel: opened, watched, asked, and opened again when it is lost. */
import type { Kernel } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';
import {
  type Batches,
  type FromKernel,
  type Hello,
  type Models,
  type Part,
  PROTOCOL,
  protocolOf,
  read,
  type Refresh,
  type Reply,
  type Runs,
  type Status,
  type Steer,
  TARGET,
  UnreadableError,
  type Use,
  type Warm
} from './messages';

/** How the kernel and this extension stand to each other. */
export type Standing =
  | { is: 'unasked' | 'connecting' | 'open' | 'unreached' | 'missing' | 'foreign' | 'second' }
  | { is: 'restarting' | 'dead' }
  | { is: 'another protocol'; protocol: number; version: string };

/** What the kernel said last of each part. */
export interface Known {
  status?: Status;
  models?: Models;
  runs?: Runs;
  batches?: Batches;
}

/** What has changed: how one stands, whether the kernel is slow to answer, or a part. */
export type Change = 'standing' | 'slow' | Part;

type Question = Use | Warm | Steer | Refresh;
/** A question without its number. */
export type Asked = Question extends infer Q ? (Q extends Question ? Omit<Q, 'id'> : never) : never;

const SLOW_MS = 1000;
/** A subshell is made in milliseconds; without one the comm still works, between cells. */
const SUBSHELL_MS = 5000;
/** A comm that lived shorter than this and was closed by the kernel is not opened by itself. */
const LIVED_MS = 2000;

export class Link {
  /**
   * @param kernel The connection that the comm goes over.
   * @param hello What the comm is opened with.
   */
  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private readonly hello: Hello
  ) {
    kernel.statusChanged.connect((_, status) => this.onStatus(status), this);
    kernel.connectionStatusChanged.connect((_, status) => this.onConnection(status), this);
  }

  get changed(): ISignal<this, Change> {
    return this._changed;
  }

  /** What was not asked for and has to be told: a message that cannot be read. */
  get trouble(): ISignal<this, Reply> {
    return this._trouble;
  }

  get standing(): Standing {
    return this._standing;
  }

  get known(): Readonly<Known> {
    return this._known;
  }

  /** Whether the kernel has left something unanswered for a second. */
  get slow(): boolean {
    return this._slow;
  }

  /** Open the comm, unless it is open or being opened. */
  async open(): Promise<void> {
    if (this.comm !== null || this._standing.is === 'connecting' || this.disposed) {
      return;
    }
    if (!this.kernel.handleComms) {
      this.stand({ is: 'second' });
      return;
    }
    const attempt = ++this.attempt;
    this.stand({ is: 'connecting' });
    this.answered = this.expectAnswer();
    try {
      const comm = await this.makeComm(() => attempt !== this.attempt || this.disposed);
      if (comm !== null) {
        this.comm = comm;
        this.opened = Date.now();
        comm.onMsg = message => this.take(message.content.data);
        comm.onClose = () => this.onClosed(comm);
        comm.open({ ...this.hello });
      }
    } catch {
      // not again by itself: what failed at once would fail at once for ever
      if (attempt === this.attempt) {
        this.forget();
        this.stand({ is: 'unreached' });
      }
    }
  }

  /** Say what is on the screen. */
  watch(parts: readonly Part[]): void {
    if (parts.join() === this.parts.join()) {
      return;
    }
    this.parts = parts;
    this.sendWatch();
  }

  /** Ask the kernel to do something; the promise is of its answer. */
  ask(question: Asked): Promise<Reply> {
    const comm = this.comm;
    if (comm === null || comm.isDisposed || this._standing.is !== 'open') {
      return Promise.resolve(lost());
    }
    const id = ++this.number;
    return new Promise(resolve => {
      const answered = this.expectAnswer();
      this.questions.set(id, reply => {
        answered();
        resolve(reply);
      });
      comm.send({ ...question, id });
    });
  }

  /**
   * Close the comm.
   *
   * @param leaving Whether the page goes: then the subshell has to go, too, since nobody in this
   * page will use it again.
   */
  close(leaving = false): void {
    const { comm, kernel } = this;
    if (comm !== null && !comm.isDisposed && !kernel.isDisposed) {
      const subshell = (comm as { subshellId?: string | null }).subshellId;
      comm.onClose = () => undefined;
      comm.close();
      if (leaving && subshell && kernel.supportsSubshells) {
        kernel.requestDeleteSubshell({ subshell_id: subshell });
      }
    }
    this.forget();
    this.stand({ is: 'unasked' });
  }

  dispose(): void {
    this.close();
    this.disposed = true;
    Signal.clearData(this);
  }

  private async makeComm(stale: () => boolean): Promise<Kernel.IComm | null> {
    const { kernel } = this;
    const spec = await kernel.spec;
    if (stale()) {
      return null;
    }
    if (spec !== undefined && spec.language.toLowerCase() !== 'python') {
      this.answered();
      this.stand({ is: 'foreign' });
      return null;
    }
    // After a reload this comes when the running cell ends. Without it one does not know whether
    // there are subshells, and a comm on the wrong shell is one whose messages get lost.
    await kernel.info;
    if (stale()) {
      return null;
    }
    const comm = kernel.createComm(TARGET);
    if (kernel.supportsSubshells) {
      const started = (comm as { subshellStarted?: Promise<void> }).subshellStarted;
      await Promise.race([started, new Promise(resolve => setTimeout(resolve, SUBSHELL_MS))]);
    }
    if (stale()) {
      comm.dispose();
      return null;
    }
    return comm;
  }

  private take(data: unknown): void {
    const other = protocolOf(data);
    if (other !== null && other.protocol !== PROTOCOL) {
      this.answered();
      this.stand({ is: 'another protocol', ...other });
      return;
    }
    let message: FromKernel;
    try {
      message = read(data);
    } catch (error) {
      if (!(error instanceof UnreadableError)) {
        throw error;
      }
      this._trouble.emit(unreadable(error.message));
      return;
    }
    this.heed(message);
  }

  private heed(message: FromKernel): void {
    switch (message.type) {
      case 'hello':
        this.answered();
        this.stand({ is: 'open' });
        if (this.parts.length > 0) {
          this.sendWatch();
        }
        return;
      case 'reply':
        this.answer(message);
        return;
      default:
        this._known = { ...this._known, [message.type]: message };
        this._changed.emit(message.type);
    }
  }

  private answer(reply: Reply): void {
    const number = reply.to ?? 0;
    const resolve = this.questions.get(number);
    this.questions.delete(number);
    if (resolve === undefined) {
      this._trouble.emit(reply);
    } else {
      resolve(reply);
    }
  }

  private onClosed(comm: Kernel.IComm): void {
    if (comm !== this.comm) {
      return;
    }
    const was = this._standing.is;
    const lived = Date.now() - this.opened;
    this.forget();
    this.stand({ is: 'missing' });
    // closed by a kernel that had answered: it may be loading the extension again
    if (was === 'open' && lived > LIVED_MS) {
      void this.open();
    }
  }

  private onStatus(status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting') {
      // the comm is gone without a word; a kernel that was never asked is not asked now either
      this.forget();
      this.stand({ is: this._standing.is === 'unasked' ? 'unasked' : 'restarting' });
    } else if (status === 'dead' || status === 'terminating') {
      this.forget();
      this.stand({ is: 'dead' });
    } else if (this._standing.is === 'restarting' && (status === 'idle' || status === 'busy')) {
      void this.open();
    }
  }

  private onConnection(status: Kernel.ConnectionStatus): void {
    if (status === 'connected' && this._standing.is === 'open') {
      // what was sent meanwhile may be lost: ask for all of it
      const { parts } = this;
      this.watch([]);
      this.watch(parts);
    }
  }

  private sendWatch(): void {
    if (this._standing.is === 'open' && this.comm !== null && !this.comm.isDisposed) {
      this.comm.send({ type: 'watch', parts: [...this.parts] });
    }
  }

  /** Note that an answer is due; return what to call when it has come. */
  private expectAnswer(): () => void {
    const due = Symbol('due');
    this.due.add(due);
    const timer = setTimeout(() => this.tellSlow(true), SLOW_MS);
    return () => {
      clearTimeout(timer);
      this.due.delete(due);
      if (this.due.size === 0) {
        this.tellSlow(false);
      }
    };
  }

  private tellSlow(slow: boolean): void {
    if (slow !== this._slow) {
      this._slow = slow;
      this._changed.emit('slow');
    }
  }

  private forget(): void {
    this.attempt++;
    this.comm = null;
    this._known = {};
    this.answered();
    for (const resolve of [...this.questions.values()]) {
      resolve(lost());
    }
    this.questions.clear();
  }

  private stand(standing: Standing): void {
    this._standing = standing;
    this._changed.emit('standing');
  }

  private comm: Kernel.IComm | null = null;
  private parts: readonly Part[] = [];
  private attempt = 0;
  private number = 0;
  private opened = 0;
  private disposed = false;
  private answered: () => void = () => undefined;
  private readonly questions = new Map<number, (reply: Reply) => void>();
  private readonly due = new Set<symbol>();
  private _slow = false;
  private _standing: Standing = { is: 'unasked' };
  private _known: Known = {};
  private readonly _changed = new Signal<this, Change>(this);
  private readonly _trouble = new Signal<this, Reply>(this);
}

function lost(): Reply {
  return failed('The kernel did not answer: the connection to it has ended.', '', '');
}

function unreadable(reason: string): Reply {
  return failed(
    'A message of the kernel could not be read, and was left out.',
    `${reason.slice(0, 160)}.`,
    '%alcf doctor'
  );
}

/** An answer that says what went wrong. */
export function failed(what: string, why: string, next: string): Reply {
  return { type: 'reply', to: null, said: '', line: '', error: { what, why, do: next } };
}
