/** The links of a page, one for each kernel, and the one of the notebook that is in front. */
import { type INotebookTracker, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';
import { speaksOfUs } from './magics';
import { type Change, Link } from './link';
import type { Hello, Part, Reply } from './messages';

/** What has changed: another notebook or kernel is in front, or something of its link. */
export type PlaceChange = 'place' | Change;

export class Links {
  /**
   * @param tracker Of the notebooks of this page.
   * @param hello What each kernel is greeted with.
   */
  constructor(
    private readonly tracker: INotebookTracker,
    private readonly hello: Hello
  ) {
    tracker.currentChanged.connect(() => this.follow());
    tracker.widgetAdded.connect((_, panel) => this.heed(panel));
    tracker.forEach(panel => this.heed(panel));
    NotebookActions.executed.connect((_, { notebook, cell }) => {
      const front = this.notebook;
      if (front?.content === notebook && speaksOfUs(cell.model.sharedModel.getSource())) {
        void this.retry();
      }
    });
    window.addEventListener('pagehide', () => this.links.forEach(link => link.close(true)));
    this.follow();
  }

  get changed(): ISignal<this, PlaceChange> {
    return this._changed;
  }

  get trouble(): ISignal<this, Reply> {
    return this._trouble;
  }

  /** The notebook in front. */
  get notebook(): NotebookPanel | null {
    return this.tracker.currentWidget;
  }

  /** The link of its kernel; null where it has none. */
  get current(): Link | null {
    return this._current;
  }

  /** Say what is on the screen; kernels whose notebooks are not in front are told: nothing. */
  watch(parts: readonly Part[], eager: boolean): void {
    this.parts = parts;
    this.eager = eager;
    this.connect();
    this.tell();
  }

  /** Try again to reach the kernel in front, if it could not be reached. */
  async retry(): Promise<void> {
    const is = this._current?.standing.is;
    if (is === 'missing' || is === 'unasked' || is === 'unreached') {
      await this._current?.open();
    }
  }

  private heed(panel: NotebookPanel): void {
    panel.sessionContext.kernelChanged.connect(() => this.follow());
    void panel.context.ready.then(() => this.follow());
    // before the notebook's connection to the kernel is gone
    panel.content.disposed.connect(() => this.leave(panel));
    panel.disposed.connect(() => this.follow());
  }

  /** Close the comm of a notebook that is closed while its kernel stays. */
  private leave(panel: NotebookPanel): void {
    const kernel = panel.sessionContext.session?.kernel;
    const link = kernel && this.links.get(kernel.id);
    if (link != null && link.kernel === kernel) {
      link.dispose();
      this.links.delete(kernel.id);
    }
  }

  /** Find the link of the notebook that is in front now. */
  private follow(): void {
    const kernel = this.notebook?.sessionContext.session?.kernel ?? null;
    const link = kernel === null || kernel.isDisposed ? null : this.linkOf(kernel);
    if (link !== this._current) {
      this._current = link;
      this.tell();
    }
    this._changed.emit('place');
    this.connect();
  }

  private linkOf(kernel: Kernel.IKernelConnection): Link {
    const known = this.links.get(kernel.id);
    if (known !== undefined && !known.kernel.isDisposed) {
      return known;
    }
    const link = new Link(kernel, this.hello);
    link.changed.connect((_, change) => this.onLink(link, change));
    link.trouble.connect((_, reply) => this._trouble.emit(reply));
    kernel.disposed.connect(() => {
      link.dispose();
      if (this.links.get(kernel.id) === link) {
        this.links.delete(kernel.id);
      }
      this.follow();
    });
    this.links.set(kernel.id, link);
    return link;
  }

  /** Reach out to the kernel in front, if somebody looks or its notebook is about us. */
  private connect(): void {
    const link = this._current;
    if (link?.standing.is !== 'unasked') {
      return;
    }
    const cells = this.notebook?.model?.cells ?? [];
    const ours = Array.from(cells, cell => cell.sharedModel.getSource()).some(speaksOfUs);
    if (this.eager || ours) {
      void link.open();
    }
  }

  private tell(): void {
    this.links.forEach(link => link.watch(link === this._current ? this.parts : []));
  }

  private onLink(link: Link, change: Change): void {
    if (link === this._current) {
      this._changed.emit(change);
    }
  }

  private parts: readonly Part[] = [];
  private eager = false;
  private _current: Link | null = null;
  private readonly links = new Map<string, Link>();
  private readonly _changed = new Signal<this, PlaceChange>(this);
  private readonly _trouble = new Signal<this, Reply>(this);
}
