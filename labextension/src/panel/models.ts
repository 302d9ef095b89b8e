/** The models with their states: filters, search, the list, and details of the selected one. */
import { button, el, set, setText } from '../dom';
import type { Models, Status } from '../messages';
import { clock } from '../words';
import type { Actions } from './actions';
import { Details } from './details';
import { counts, type Filter, FILTERS, fitting, keyOf } from './filters';
import { ModelList } from './list';

export class ModelsView {
  constructor(private readonly actions: Actions) {
    this.details = new Details(actions);
    this.search.addEventListener('input', () => this.draw());
    this.node = el(
      'section',
      { class: 'alcf-models', 'aria-label': 'Models' },
      this.bar,
      this.search,
      this.list.node,
      this.none,
      el('div', { class: 'alcf-checked' }, this.checked, this.refresh),
      this.note,
      this.details.node
    );
    this.choose('All');
  }

  show(models: Models | undefined, status: Status | undefined): void {
    this.models = models;
    this.status = status;
    if (this.selected === null && models !== undefined && status?.chat != null) {
      const { model, cluster } = status.chat;
      const fits = models.models.filter(({ id }) => id === model);
      const used = fits.find(one => one.cluster === cluster) ?? fits[0];
      this.selected = used === undefined ? null : keyOf(used);
    }
    this.draw();
  }

  private draw(): void {
    const { models, status } = this;
    this.node.hidden = models === undefined;
    if (models === undefined) {
      return;
    }
    const found = counts(models.models);
    FILTERS.forEach((filter, at) => {
      setText(this.filters[at] as Node, `${filter} ${found[filter]}`);
    });
    const fits = fitting(models.models, this.filter, this.search.value);
    const used = { chat: status?.chat?.model ?? '', embed: status?.embed?.model ?? '' };
    this.bar.hidden = this.search.hidden = models.models.length === 0;
    this.list.node.hidden = fits.length === 0;
    this.list.show(fits, this.selected, used);
    this.none.hidden = fits.length > 0;
    setText(this.none, models.models.length === 0 ? 'No models are known.' : 'No model fits.');
    this.details.show(fits.find(model => keyOf(model) === this.selected));
    this.tell(models);
  }

  private tell({ checked, followed, note, warnings }: Models): void {
    const words = [
      checked === null ? 'Not checked yet.' : `Last checked ${clock(checked)}.`,
      followed || checked === null ? '' : 'No longer followed: Refresh looks again.'
    ];
    setText(this.checked, words.join(' ').trim());
    const lines = [note, ...warnings].filter(Boolean);
    this.note.hidden = lines.length === 0;
    setText(this.note, lines.join('\n'));
  }

  /** Scroll so that what can be done with the selected model is seen. */
  reveal(): void {
    this.details.reveal();
  }

  private pick(key: string): void {
    if (key !== this.selected) {
      this.selected = key;
      this.actions.picked();
    }
    this.draw();
    this.reveal();
  }

  private choose(filter: Filter): void {
    this.filter = filter;
    FILTERS.forEach((one, at) => {
      set(this.filters[at] as Element, 'aria-pressed', String(one === filter));
    });
    this.draw();
  }

  private models: Models | undefined;
  private status: Status | undefined;
  private selected: string | null = null;
  private filter: Filter = 'All';
  private readonly filters = FILTERS.map(filter =>
    button(filter, HINTS[filter], () => this.choose(filter))
  );
  private readonly bar = el(
    'div',
    { class: 'alcf-bar', role: 'group', 'aria-label': 'State' },
    ...this.filters
  );
  private readonly search = el('input', {
    type: 'search',
    class: 'alcf-search',
    placeholder: 'Search models and clusters',
    'aria-label': 'Search models and clusters',
    spellcheck: 'false'
  });
  private readonly list = new ModelList(key => this.pick(key));
  private readonly none = el('p', { class: 'alcf-none' });
  private readonly checked = el('span');
  private readonly note = el('p', { class: 'alcf-note' });
  private readonly refresh = button('Refresh', 'Look at the states again', () =>
    this.actions.refresh('models')
  );
  private readonly details: Details;
  readonly node: HTMLElement;
}

const HINTS: Record<Filter, string> = {
  Live: 'Ready',
  Starting: 'Loading',
  Queued: 'Waiting for a node',
  Offline: 'Starts on a request',
  All: 'Everything'
};
