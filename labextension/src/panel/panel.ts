/** The side panel: all its parts, and which of them are on the screen. */
import { type Message } from '@lumino/messaging';
import { type ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { el } from '../dom';
import type { Known } from '../link';
import type { Part, Reply } from '../messages';
import type { Notice } from '../words';
import type { Actions } from './actions';
import { Head } from './head';
import { BatchesView, RunsView } from './jobs';
import { ModelsView } from './models';
import { NoticeView } from './notice';
import { Told } from './told';

export class Panel extends Widget {
  constructor(actions: Omit<Actions, 'arranged' | 'picked'>) {
    super();
    this.addClass('alcf-panel');
    const all = {
      ...actions,
      arranged: () => this._arranged.emit(),
      // what was told is mostly about the one before
      picked: () => this.untell()
    };
    this.notice = new NoticeView(all);
    this.head = new Head(all);
    this.models = new ModelsView(all);
    this.runs = new RunsView(all);
    this.batches = new BatchesView(all);
    this.body.append(this.head.node, this.runs.node, this.batches.node, this.models.node);
    this.node.append(this.notice.node, this.body, this.told.node);
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'ALCF Inference Endpoints');
  }

  /** Emits when something came on the screen or went away. */
  get arranged(): ISignal<this, void> {
    return this._arranged;
  }

  /** What of it is on the screen. */
  get parts(): Part[] {
    if (!this.isVisible) {
      return [];
    }
    const parts: Part[] = ['status', 'models'];
    if (this.runs.open) {
      parts.push('runs');
    }
    if (this.batches.open) {
      parts.push('batches');
    }
    return parts;
  }

  /** Show why there is nothing, and whether there is something. */
  showNotice(notice: Notice, ready: boolean, open: boolean): void {
    this.notice.show(notice, ready);
    this.body.hidden = !open;
  }

  /** Show a part of what the kernel said. */
  showPart(part: Part, known: Readonly<Known>): void {
    switch (part) {
      case 'status':
        this.head.show(known.status, Date.now() / 1000);
        this.models.show(known.models, known.status);
        break;
      case 'models':
        this.models.show(known.models, known.status);
        break;
      case 'runs':
        this.runs.show(known.runs);
        break;
      case 'batches':
        this.batches.show(known.batches);
    }
  }

  /**
   * Show what came of a click.
   *
   * @param onModel Whether it was one on a button of the selected model, which are not to be covered.
   */
  tell(reply: Reply, onModel = false): void {
    this.told.show(reply);
    if (onModel) {
      this.models.reveal();
    }
  }

  /** Take away what was told. */
  untell(): void {
    this.told.clear();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._arranged.emit();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._arranged.emit();
  }

  private readonly _arranged = new Signal<this, void>(this);
  private readonly body = el('div', { class: 'alcf-body' });
  private readonly told = new Told();
  private readonly notice: NoticeView;
  private readonly head: Head;
  private readonly models: ModelsView;
  private readonly runs: RunsView;
  private readonly batches: BatchesView;
}
