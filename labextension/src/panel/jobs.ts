/** Runs over columns, and batches: each with how far it is. */
import { button, el, firstButton, Keyed, set, setText } from '../dom';
import type { Batch, Batches, Run, Runs, Steer } from '../messages';
import { clock } from '../words';
import type { Actions } from './actions';

type Job = Run | Batch;

interface Row {
  title: HTMLElement;
  about: HTMLElement;
  state: HTMLElement;
  bar: HTMLProgressElement;
  words: HTMLElement;
  buttons: Map<Steer['action'], HTMLButtonElement>;
}

/** Which buttons a run has in each state. */
const STEERS: Record<Run['state'], readonly Steer['action'][]> = {
  waiting: ['pause', 'stop'],
  running: ['pause', 'stop'],
  paused: ['resume', 'stop'],
  stopped: ['hide'],
  finished: ['hide'],
  failed: ['hide']
};

/** A section of jobs that opens and closes; what is closed is not watched. */
abstract class Jobs {
  constructor(
    protected readonly actions: Actions,
    private readonly name: string
  ) {
    this.node.addEventListener('toggle', () => actions.arranged());
    setText(this.head, name);
  }

  /** Whether what it holds is on the screen. */
  get open(): boolean {
    return this.node.open;
  }

  protected draw(jobs: readonly Job[], empty: string): void {
    setText(this.head, jobs.length > 0 ? `${this.name} (${jobs.length})` : this.name);
    this.rows.show(jobs);
    this.empty.hidden = jobs.length > 0 || empty === '';
    setText(this.empty, empty);
  }

  /** Which buttons a job has. */
  protected abstract steers(job: Job): readonly Steer['action'][];

  private make(job: Job): HTMLElement {
    const row: Row = {
      title: el('span', { class: 'alcf-name' }),
      about: el('p', { class: 'alcf-about' }),
      state: el('span', { class: 'alcf-state' }),
      bar: el('progress'),
      words: el('p', { class: 'alcf-words' }),
      buttons: new Map(
        (['pause', 'resume', 'stop', 'hide'] as const).map(action => {
          const label = action.charAt(0).toUpperCase() + action.slice(1);
          return [action, button(label, '', () => this.actions.steer(job.key, action))];
        })
      )
    };
    const node = el(
      'li',
      { class: 'alcf-job' },
      el('div', { class: 'alcf-line' }, row.title, row.state),
      row.about,
      row.bar,
      row.words,
      el('div', { class: 'alcf-buttons' }, ...row.buttons.values())
    );
    this.parts.set(node, row);
    return node;
  }

  private fill(node: HTMLElement, job: Job): void {
    const row = this.parts.get(node);
    if (row === undefined) {
      return;
    }
    const { title, name, about } = job;
    // two on one model are told apart by it, by people who see the screen and by those who hear it
    const short = name.slice(0, 8);
    set(node, 'title', [title, name, about].filter(Boolean).join('\n'));
    setText(row.title, title);
    setText(row.about, [short, about].filter(Boolean).join(' · '));
    setText(row.state, job.state);
    row.bar.hidden = job.rows === 0;
    row.bar.max = Math.max(job.rows, 1);
    row.bar.value = Math.min(job.done, job.rows);
    set(row.bar, 'aria-label', `${title}, ${short}: ${job.done} of ${job.rows} rows`);
    setText(row.words, job.words);
    const steers = this.steers(job);
    const held = [...row.buttons.values()].find(one => one === document.activeElement);
    for (const [action, shown] of row.buttons) {
      shown.hidden = !steers.includes(action);
      set(shown, 'aria-label', `${shown.textContent}: ${title}, ${short}`);
    }
    // the button that was pressed gives way to another: who works with keys goes on from there
    if (held?.hidden) {
      firstButton(node)?.focus();
    }
  }

  private readonly parts = new WeakMap<HTMLElement, Row>();
  private readonly head = el('summary');
  private readonly list = el('ul', { class: 'alcf-jobs' });
  private readonly empty = el('p', { class: 'alcf-none' });
  protected readonly foot = el('div', { class: 'alcf-checked' });
  readonly node = el('details', { class: 'alcf-section' }, this.head, this.list, this.empty);
  private readonly rows = new Keyed<Job, HTMLElement>(
    this.list,
    ({ key }) => key,
    job => this.make(job),
    (node, job) => this.fill(node, job),
    this.head
  );
}

export class RunsView extends Jobs {
  constructor(actions: Actions) {
    super(actions, 'Runs');
    this.node.open = true;
    this.node.addEventListener('focusout', ({ relatedTarget }) => this.settle(relatedTarget));
  }

  show(runs: Runs | undefined): void {
    this.draw(runs?.runs ?? [], '');
    this.none = !runs?.runs.length;
    this.settle(document.activeElement);
  }

  /** Without runs it only takes room; closed, it is not told of any, and has to be opened for it. */
  private settle(focused: EventTarget | null): void {
    // who is in it is not put out
    this.node.hidden = this.open && this.none && !this.node.contains(focused as Node | null);
  }

  private none = true;

  protected override steers(job: Job): readonly Steer['action'][] {
    return STEERS[job.state as Run['state']];
  }
}

export class BatchesView extends Jobs {
  constructor(actions: Actions) {
    super(actions, 'Batches');
    this.node.append(this.note, this.foot);
    this.foot.append(
      this.checked,
      button('Refresh', 'Look at the batches again', () => actions.refresh('batches'))
    );
  }

  show(batches: Batches | undefined): void {
    const { checked = null, note = '' } = batches ?? {};
    this.draw(batches?.batches ?? [], checked === null ? '' : 'No batches.');
    setText(this.note, note);
    this.note.hidden = note === '';
    const looking = note === '' ? 'Looking them up …' : '';
    setText(this.checked, checked === null ? looking : `Last checked ${clock(checked)}.`);
  }

  protected override steers(): readonly Steer['action'][] {
    return [];
  }

  private readonly note = el('p', { class: 'alcf-note' });
  private readonly checked = el('span');
}
