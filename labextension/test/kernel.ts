/** A kernel that says what a test lets it say. */
import type { Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

type Data = Record<string, unknown>;

export class FakeComm {
  onMsg: (message: { content: { data: unknown } }) => void = () => undefined;
  onClose: () => void = () => undefined;
  isDisposed = false;
  opened: Data | null = null;
  sent: Data[] = [];
  subshellId: string | null = null;

  constructor(readonly subshellStarted: Promise<void>) {}

  open(data: Data): void {
    this.opened = data;
  }

  send(data: Data): void {
    if (this.isDisposed) {
      throw new Error('Cannot send');
    }
    this.sent.push(data);
  }

  close(): void {
    this.isDisposed = true;
  }

  dispose(): void {
    this.isDisposed = true;
  }

  /** The kernel says something. */
  says(data: unknown): void {
    this.onMsg({ content: { data } });
  }
}

export class FakeKernel {
  id = 'kernel';
  handleComms = true;
  isDisposed = false;
  supportsSubshells = true;
  subshell = Promise.resolve();
  language = 'python';
  info: Promise<object> = Promise.resolve({});
  comms: FakeComm[] = [];
  deleted: string[] = [];
  statusChanged = new Signal<this, Kernel.Status>(this);
  connectionStatusChanged = new Signal<this, Kernel.ConnectionStatus>(this);

  get spec(): Promise<{ language: string }> {
    return Promise.resolve({ language: this.language });
  }

  createComm(): FakeComm {
    const comm = new FakeComm(this.subshell);
    this.comms.push(comm);
    return comm;
  }

  requestDeleteSubshell({ subshell_id }: { subshell_id: string }): void {
    this.deleted.push(subshell_id);
  }

  get comm(): FakeComm {
    const last = this.comms.at(-1);
    if (last === undefined) {
      throw new Error('no comm was made');
    }
    return last;
  }

  /** As what Link takes it. */
  get connection(): Kernel.IKernelConnection {
    return this as unknown as Kernel.IKernelConnection;
  }
}
