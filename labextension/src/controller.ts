/** Between the links to the kernels and what is on the screen: what is shown, watched, and asked. */
import type { Signal } from '@lumino/signaling';
import * as cells from './cells';
import type { Item } from './item';
import { type Asked, failed } from './link';
import type { Links, PlaceChange } from './links';
import * as magics from './magics';
import type { Part } from './messages';
import type { Actions } from './panel/actions';
import { Panel } from './panel/panel';
import { noKernel, notice } from './words';

const PARTS: readonly Part[] = ['status', 'models', 'runs', 'batches'];
/** How often the time that a sign-in still holds is counted anew, by this computer's clock. */
const CLOCK_MS = 30_000;

export class Controller {
  constructor(
    private readonly links: Links,
    private readonly item: Item | null,
    private readonly itemShown: Signal<Item, void> | null
  ) {
    links.changed.connect((_, change) => this.heed(change));
    links.trouble.connect((_, reply) => this.panel.tell(reply));
    this.panel.arranged.connect(() => this.arrange());
    document.addEventListener('visibilitychange', () => this.arrange());
    setInterval(() => this.tick(), CLOCK_MS);
    this.heed('place');
  }

  /** Say to the kernel what is on the screen, and show what is known of it. */
  private arrange(): void {
    const away = document.visibilityState === 'hidden';
    const parts = new Set<Part>(away ? [] : this.panel.parts);
    if (!away && this.item?.isVisible) {
      parts.add('status');
    }
    this.links.watch(
      PARTS.filter(part => parts.has(part)),
      !away && this.panel.isVisible
    );
    PARTS.forEach(part => this.show(part));
  }

  private heed(change: PlaceChange): void {
    switch (change) {
      case 'place':
        this.tried = false;
        this.panel.untell();
        this.stand();
        this.arrange();
        break;
      case 'standing':
        this.stand();
        // the item comes or goes: let it be laid out first
        requestAnimationFrame(() => this.arrange());
        break;
      case 'slow':
        this.stand();
        this.show('status');
        break;
      default:
        this.show(change);
    }
  }

  private stand(): void {
    const { current, notebook } = this.links;
    const open = current?.standing.is === 'open';
    if (open) {
      this.tried = false;
    }
    const told =
      current === null
        ? noKernel(notebook !== null)
        : notice(current.standing, current.slow, this.tried);
    this.panel.showNotice(told, notebook !== null && cells.hasLoad(notebook), open);
    this.itemShown?.emit();
  }

  private show(part: Part): void {
    const known = this.links.current?.known ?? {};
    if (this.panel.isVisible) {
      const start = performance.now();
      this.panel.showPart(part, known);
      measure(`alcf_jupyter ${part}`, start);
    }
    if (part === 'status') {
      if (known.status !== undefined) {
        this.item?.tell(known.status, this.links.current?.slow ?? false, Date.now() / 1000);
      }
      this.itemShown?.emit();
    }
  }

  private tick(): void {
    if (document.visibilityState === 'visible') {
      this.show('status');
    }
  }

  private ask(question: Asked): void {
    this.panel.untell();
    const { current } = this.links;
    void current?.ask(question).then(reply => {
      // of a kernel whose notebook is in front no more it would be taken for another's
      if (current === this.links.current) {
        this.panel.tell(reply, question.type === 'use' || question.type === 'warm');
      }
    });
  }

  /** What the buttons and the commands do. */
  readonly actions: Omit<Actions, 'arranged' | 'picked'> = {
    use: (kind, model) => this.ask({ type: 'use', kind, model: model.id }),
    warm: ({ id, cluster }) => this.ask({ type: 'warm', model: id, cluster }),
    refresh: part => this.ask({ type: 'refresh', part }),
    steer: (run, action) => this.ask({ type: 'steer', run, action }),
    insert: model => this.insert(model),
    signIn: () => this.run(magics.signIn(this.links.current?.standing.is === 'open')),
    useSandbox: () => this.run(magics.SANDBOX),
    load: () => void this.load(),
    retry: () => void this.links.retry(),
    reload: () => window.location.reload()
  };

  /** Put a chat cell below the active one; with the model of chat cells, if no other is named. */
  insert(model?: { id: string; cluster: string }): void {
    const { notebook } = this.links;
    if (notebook === null) {
      return;
    }
    const source = model === undefined ? '%%alcf_chat\n' : magics.chatCell(model.id, model.cluster);
    if (source === null) {
      this.panel.tell(
        failed('This model has a name that cannot stand in a cell.', '', 'alcf.models()')
      );
      return;
    }
    void cells.insertBelow(notebook, source);
  }

  /** Put a cell below the active one and run it. */
  run(source: string): void {
    const { notebook } = this.links;
    if (notebook !== null) {
      void cells.runBelow(notebook, source);
    }
  }

  private async load(): Promise<void> {
    const { notebook, current } = this.links;
    if (notebook === null) {
      return;
    }
    await cells.runLoad(notebook);
    if (this.links.current === current) {
      this.tried = true;
      this.stand();
    }
  }

  readonly panel = new Panel(this.actions);
  private tried = false;
}

/** Leave the last time that a part took where the browser's tools show it. */
function measure(name: string, start: number): void {
  performance.clearMeasures(name);
  performance.measure(name, { start, end: performance.now() });
}
